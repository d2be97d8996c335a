package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/internal/settings"
	"drp/watch"
)

const setLong = `set changes parameters of a run of this user on this machine while it goes on, all or none of those that are named. They
hold from one of the next events on, in all workers. Without any it shows what can be set, and what was.

  drp set
  drp set threshold=60 mode=fast
  drp set --partition tst threshold=60      in all processes of a partition, or in none; those that do not declare it are left as they are
  drp set --pid 1204 rings.distance=95mm    in this one alone: it is its own, also when it is started anew
  drp set --url "http://127.0.0.1:8080/?token=…" threshold=60     the address for steering that drp --http has printed

What a value may be, the script says (ds.param) or the stage; a value that may not be is refused, and the one before stays
(docs/settings.md).`

func newSetCommand() *cobra.Command {
	f, asJSON, address, history := lookFlags{}, false, "", false
	cmd := &cobra.Command{
		Use:   "set [NAME=VALUE …]",
		Short: "Show or change the parameters of a run while it goes on",
		Long:  setLong,
		RunE: func(cmd *cobra.Command, words []string) error {
			values, err := assignments(words)
			if err != nil {
				return err
			}
			if address == "" && f.whole() {
				return f.ofPartition(cmd.Context(), values, asJSON, history)
			}
			where := []string{}
			if address != "" {
				where = append(where, address)
			}
			client, err := f.one(cmd.Context(), where)
			if err != nil {
				return err
			}
			defer client.Close()
			if len(words) == 0 {
				return general(endOf(showSettings(cmd.Context(), client, asJSON, history)))
			}
			return setValues(cmd.Context(), client, values, asJSON)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&address, "url", "", "the `address` for steering that drp --http has printed, in place of a run of this machine")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what there is, or the answer, as JSON")
	cmd.Flags().BoolVar(&history, "history", false, "show the latest changes, too")
	return cmd
}

// assignments reads NAME=VALUE.
func assignments(words []string) (map[string]any, error) {
	values := map[string]any{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: give NAME=VALUE, as threshold=60", w)
		}
		if !utf8.ValidString(w) {
			return nil, fmt.Errorf("%q: this is no UTF-8", w)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		values[name] = value
	}
	return values, nil
}

func setValues(ctx context.Context, client *watch.Client, values map[string]any, asJSON bool) error {
	text, err := client.Post(ctx, watch.SettingsPath, values)
	var refused *watch.RefusedError
	if errors.As(err, &refused) {
		return &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	var accepted watch.Accepted
	if err == nil {
		err = json.Unmarshal(text, &accepted)
	}
	if err != nil {
		return general(endOf(err))
	}
	if asJSON {
		printText(string(text))
		return nil
	}
	printf("accepted: generation %d\n", accepted.Generation)
	if accepted.Warning != "" {
		warn(printable(accepted.Warning))
	}
	return nil
}

func showSettings(ctx context.Context, client *watch.Client, asJSON, history bool) error {
	text, err := client.Get(ctx, watch.SettingsPath)
	if err != nil {
		return err
	}
	if asJSON {
		_, err := stdout.Write(text)
		return err
	}
	var l settings.Listing
	if err := l.Read(text); err != nil {
		return err
	}
	writeSettings(&stdout, &l, history)
	return nil
}

func writeSettings(to io.Writer, l *settings.Listing, history bool) {
	if len(l.Settings) == 0 {
		_, _ = fmt.Fprintln(to, "nothing can be set in this process: no script declares a parameter (ds.param)")
		return
	}
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for i := range l.Settings {
		s := &l.Settings[i]
		_, _ = fmt.Fprintf(table, "%s\t%s %s\t%s\t%s\n", s.Name, settings.Text(s.Value), s.Unit, strings.Join(limits(s), ", "), s.Doc)
	}
	_ = table.Flush()
	_, _ = fmt.Fprintf(to, "generation %d\n", l.Generation)
	if !history {
		return
	}
	for i := range l.History {
		_, _ = fmt.Fprintf(to, "%s %v\n", l.History[i].Time.Local().Format(time.DateTime), &l.History[i])
	}
}

// limits says what a setting may be.
func limits(s *settings.Setting) []string {
	all := []string{s.Type}
	if s.Min != nil {
		all = append(all, "from "+settings.Text(s.Min))
	}
	if s.Max != nil {
		all = append(all, "to "+settings.Text(s.Max))
	}
	if s.Choices != nil {
		var texts []string
		for _, c := range s.Choices {
			texts = append(texts, settings.Text(c))
		}
		all = append(all, "one of "+strings.Join(texts, " "))
	}
	return append(all, "by default "+settings.Text(s.Default))
}
