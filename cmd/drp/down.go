package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/control"
	"drp/drp"
)

const downLong = `down ends what drp up started of a partition: run control ends the run in order, then all processes, then itself. Who
does not end by that gets SIGTERM, and after --wait SIGKILL. Nothing else is ever ended. Without a name it is the only
partition that is up.`

// downPatience is how long processes may take after SIGTERM.
const downPatience = 15 * time.Second

func newDownCommand() *cobra.Command {
	var wait time.Duration
	var named string
	cmd := &cobra.Command{
		Use:     "down [FILE|PARTITION]",
		Short:   "End the processes of a partition that drp up started",
		Long:    downLong,
		Example: "  drp down\n  drp down scripts/partition.yaml",
		Args:    needs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait <= 0 {
				return fmt.Errorf("--wait %v: give a time above 0, as 15s", wait)
			}
			if err := onePartition(&named, args); err != nil {
				return err
			}
			if named != "" && len(args) == 0 {
				args = []string{named}
			}
			partition, err := partitionOf(args)
			if err != nil {
				return configuration(err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return down(ctx, partition, wait)
		},
	}
	cmd.Flags().StringVar(&named, "partition", "", "which `partition`, where it is not named behind down")
	cmd.Flags().DurationVar(&wait, "wait", downPatience, "longest wait for the end in order, and again after SIGTERM")
	return cmd
}

// onePartition lets a partition be named by a flag, or by the only word that is left.
func onePartition(flag *string, words []string) error {
	if len(words) > 0 && *flag != "" && *flag != words[0] {
		return fmt.Errorf("the partition is %s, and --partition says %s: give one of them", plain(words[0]), plain(*flag))
	}
	if len(words) > 0 {
		*flag = words[0]
	}
	if ext := filepath.Ext(*flag); *flag == "" || len(words) > 0 && (ext == ".yaml" || ext == ".yml") {
		return nil
	}
	return checkPartition(*flag)
}

// partitionOf is the one that is named, by itself or by its file, or else the only one that is up.
func partitionOf(args []string) (string, error) {
	if len(args) > 0 {
		if ext := filepath.Ext(args[0]); ext == ".yaml" || ext == ".yml" {
			p, err := readPartition(args[0])
			if err != nil {
				return "", err
			}
			return p.partition, nil
		}
		return args[0], checkPartition(args[0])
	}
	dir, err := upFolder()
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return "", err
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	switch len(names) {
	case 0:
		return "", errors.New("no partition is up")
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("several partitions are up: name one of %s", strings.Join(names, ", "))
}

// down ends all that was started.
func down(ctx context.Context, partition string, wait time.Duration) error {
	f, err := openFleet(partition)
	if err != nil {
		return configuration(err)
	}
	defer f.release()
	if len(f.all) == 0 {
		return configuration(fmt.Errorf("partition %s is not up: drp up has started nothing of it", partition))
	}
	f.forget()
	all, ending := f.all, error(nil)
	if len(all) == 0 {
		printf("nothing of partition %s runs any more\n", partition)
		return general(f.save())
	}
	if _, runs := f.living("control"); runs {
		ending = askForShutdown(ctx, partition, wait)
		if ended := (*control.Problem)(nil); ending == nil || errors.As(ending, &ended) && ended.Over() {
			gone(all, wait)
		} else {
			fmt.Fprintf(os.Stderr, "drp: %v\n", ending)
			ending = nil // what is left is ended now
		}
	}
	if ctx.Err() != nil {
		return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted: what still runs goes on; drp down ends it")}
	}
	if err := f.end(all, wait); err != nil {
		return general(err)
	}
	printf("partition %s is down: %d processes have ended\n", partition, len(all))
	return ctlFailure(ending)
}

// askForShutdown lets run control end everything in order.
func askForShutdown(ctx context.Context, partition string, wait time.Duration) error {
	socket, err := controlSocket(partition)
	if err != nil {
		return err
	}
	c, err := control.NewClient(socket.String(), os.Getenv(controlToken))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Shutdown(ctx, wait.String())
	return err
}
