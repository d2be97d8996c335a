package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"drp/watch"
)

const statusLong = `status shows the runs of this user on this machine as they are now: rates and latencies are since each began.

  drp status
  drp status --json | jq '.[0].events'
  drp status "http://127.0.0.1:8080/?token=…"    the address that drp --http has printed, here or through a tunnel

Where processes of a partition have different values of a parameter, that is said (drp set --partition shows all values).

The JSON is a list of what the address gives as /v1/status; /v1/openapi.json beside it describes it (docs/metrics.md).`

func newStatusCommand() *cobra.Command {
	f, asJSON := lookFlags{}, false
	cmd := &cobra.Command{
		Use:   "status [ADDRESS]",
		Short: "Show how the runs of this machine are doing",
		Long:  statusLong,
		Args:  needs(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			all, err := f.find(cmd.Context(), words)
			if err != nil {
				return err
			}
			defer closeAll(all)
			statuses := []*watch.Status{}
			for _, s := range all {
				statuses = append(statuses, s.status)
			}
			if asJSON {
				text, err := json.MarshalIndent(statuses, "", "  ")
				printLine(string(text))
				return general(err)
			}
			for i, s := range statuses {
				if i > 0 {
					printLine()
				}
				printText(strings.Join(pictureOf(nil, s), "\n") + "\n")
			}
			if len(all) > 1 {
				for _, line := range differingOf(cmd.Context(), all) {
					printLine(line)
				}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the status of each run as JSON")
	return cmd
}
