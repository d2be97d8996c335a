// Command drp runs a scientist's Python script on every datagram of an X-ray detector.
//
// The default verb runs; the others look at files, clean up and measure. Only this package reads flags, handles signals
// and exits. See the README for the first steps and docs/ for the rest.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"drp/drp"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(execute(os.Args[1:])) }

// execute runs a command line and gives its exit code.
func execute(args []string) int {
	root := newRunCommand()
	root.AddCommand(newXTCCommand(), newCalibCommand(), newHitsCommand(), newConvertCommand(), newTestCommand(), newCleanCommand(),
		newDoctorCommand(), newBenchCommand(), newTEBCommand(), newControlCommand(), newCtlCommand(), newUpCommand(), newDownCommand(),
		newMonitorCommand(), newPlayCommand(), newKaraboCommand(), newSimTestCommand(), newProbeCommand(), newStatusCommand(),
		newSetCommand(), newReloadCommand(), newTopCommand(), newVersionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return plainly(err) })
	root.SetArgs(args)
	root.SetOut(&stdout)
	stdout.begin()
	err := refuseFewFiles()
	if err == nil {
		err = stdout.verdict(root.Execute())
	}
	if err == nil {
		return 0
	}
	if errors.Is(err, errDiffer) {
		return int(drp.General)
	}
	fmt.Fprintf(os.Stderr, "drp: %v\n", err)
	if more := advice(err); more != "" {
		fmt.Fprintf(os.Stderr, "     %s\n", more)
	}
	return exitCode(err)
}

// exitCode is that of a command that ends with an error, or without.
func exitCode(err error) int {
	f := (*drp.Failure)(nil)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return int(f.Kind)
	case errors.Is(err, errSilent):
		return int(drp.General)
	}
	return int(drp.Usage)
}

// errSilent is the failure of a check whose findings were printed.
var errSilent = errors.New("the check found what is printed above")

// errDiffer is the exit code of a comparison, whose answer was printed: nothing failed, and nothing more is said.
var errDiffer = errors.New("they differ")

func general(err error) error {
	if err == nil || errors.Is(err, errSilent) {
		return err
	}
	return &drp.Failure{Kind: drp.General, Err: err}
}

// withVerbs makes a command that does nothing but lead to others: alone it shows which, and a wrong one is an error.
func withVerbs(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(verbs...)
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("%s has no verb %q; %s --help lists them", cmd.Name(), args[0], cmd.CommandPath())
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// needs refuses a number of words that a command does not take, and says which it does.
func needs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		_, takes, _ := strings.Cut(cmd.Use, " ")
		if takes == "" {
			takes = "no words"
		}
		return fmt.Errorf("%s takes %s, and %d words are given; %s --help says more", strings.TrimPrefix(cmd.CommandPath(), "drp "),
			takes, len(args), cmd.CommandPath())
	}
}

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { printLine("drp", version) },
	}
}
