// Command drp runs a scientist's Python script on every datagram of an X-ray detector.
//
// The default verb runs; the others look at files, clean up and measure. Only this package reads flags, handles signals
// and exits. See the README for the first steps and docs/ for the rest.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"drp/drp"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs a command line and gives its exit code.
func execute(args []string) int {
	root := newRunCommand()
	root.AddCommand(newXTCCommand(), newCleanCommand(), newBenchCommand(), newVersionCommand())
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "drp: %v\n", err)
	if f := (*drp.Failure)(nil); errors.As(err, &f) {
		return int(f.Kind)
	}
	if errors.Is(err, errSilent) {
		return int(drp.General)
	}
	return int(drp.Usage)
}

// errSilent is the failure of a check whose findings were printed.
var errSilent = errors.New("the check found what is printed above")

func general(err error) error {
	if err == nil || errors.Is(err, errSilent) {
		return err
	}
	return &drp.Failure{Kind: drp.General, Err: err}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { fmt.Println("drp", version) },
	}
}
