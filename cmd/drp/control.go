package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"drp/control"
	"drp/internal/rundir"
	"drp/internal/wire"
)

// serviceFlags are those of run control itself.
type serviceFlags struct {
	partition string
	processes []string
	listen    []string
	journal   string
	tokenFile string
}

const controlLong = `control brings all processes of a partition through a run together: Configure, BeginRun, BeginStep, Enable, and back
(docs/control.md). The processes come to it, drp and drp teb with --control; people speak to it with drp ctl.

  drp control --partition tst --processes epix_0,epix_1,teb0
  drp control --partition tst --listen tcp://127.0.0.1:5700
  drp ctl state enabled

It listens at a socket of this user, control/PARTITION in the runtime folder, and where --listen says, beside. The journal
keeps state and run number over a restart. It ends with drp ctl shutdown, after all its processes, or with an interrupt,
which they do not mind.`

func newControlCommand() *cobra.Command {
	f := serviceFlags{}
	cmd := &cobra.Command{
		Use:   "control --partition NAME",
		Short: "Bring the processes of a partition through a run together",
		Long:  controlLong,
		Args:  needs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return f.serve(ctx)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *serviceFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.partition, "partition", "", "name of the partition")
	fl.StringSliceVar(&f.processes, "processes", nil, "names of all who must be there, and may (default: whoever comes)")
	fl.StringArrayVar(&f.listen, "listen", nil, "also listen at `tcp://HOST:PORT` or ipc:///PATH; may be given several times")
	fl.StringVar(&f.journal, "journal", "", "`file` that keeps the state and the run number (default: drp/PARTITION.journal in the folder for your state)")
	fl.StringVar(&f.tokenFile, "token-file", "", "`file` with the token that everybody needs who does not come by a socket of this user")
}

// controlSocket is where run control of a partition listens for this user.
func controlSocket(partition string) (wire.Endpoint, error) {
	dir, err := rundir.Shared(rundir.Control)
	return wire.Endpoint{Path: filepath.Join(dir, partition)}, err
}

func checkPartition(name string) error {
	if !control.ValidName(name) {
		return fmt.Errorf("partition %q: give up to 64 letters, digits, '_', '.' and '-'", name)
	}
	return nil
}

// defaultJournal is in the folder where a user's programs keep their state.
func defaultJournal(partition string) (string, error) {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("--journal: %w", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	dir = filepath.Join(dir, "drp")
	return filepath.Join(dir, partition+".journal"), os.MkdirAll(dir, 0o700)
}

// door is a place where run control listens.
type door struct {
	at    wire.Endpoint
	token string // that is needed there
}

// doors checks where to listen. A network that is not this machine needs a token.
func (f *serviceFlags) doors() ([]door, error) {
	token, err := readToken("--token-file", f.tokenFile)
	if err != nil {
		return nil, configuration(err)
	}
	socket, err := controlSocket(f.partition)
	if err != nil {
		return nil, configuration(err)
	}
	all := []door{{at: socket}}
	for _, text := range f.listen {
		e, err := parseEndpoint(text)
		if err != nil {
			return nil, fmt.Errorf("--listen: %w", err)
		}
		if e.Path != "" {
			all = append(all, door{at: e})
			continue
		}
		host, _, err := net.SplitHostPort(e.Address)
		if err != nil {
			return nil, fmt.Errorf("--listen %s: give tcp://HOST:PORT", text)
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			if token == "" {
				return nil, fmt.Errorf("--listen %s: others could reach it: give --token-file, too", text)
			}
			e.Allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		}
		all = append(all, door{e, token})
	}
	return all, nil
}

// serve is run control until it is told to end.
func (f *serviceFlags) serve(ctx context.Context) error {
	if f.partition == "" {
		return errors.New("no partition: give its name with --partition")
	}
	if err := checkPartition(f.partition); err != nil {
		return err
	}
	if err := (&control.Config{Partition: f.partition, Processes: f.processes}).Check(); err != nil {
		return err
	}
	doors, err := f.doors()
	if err != nil {
		return err
	}
	if f.journal == "" {
		if f.journal, err = defaultJournal(f.partition); err != nil {
			return configuration(err)
		}
	}
	log := newScreen(os.Stderr, false).logger()
	p, err := control.Open(control.Config{Partition: f.partition, Processes: f.processes, Journal: f.journal, Log: log})
	if err != nil {
		return configuration(err)
	}
	err = listenAll(ctx, p, doors, log)
	return errors.Join(err, general(p.Close()))
}

// listenAll serves at all doors until the partition is shut down, or ctx ends.
func listenAll(ctx context.Context, p *control.Partition, doors []door, log *slog.Logger) error {
	ctx, end := context.WithCancel(ctx)
	over, failed := make(chan struct{}, 1), make(chan error, len(doors))
	var serving sync.WaitGroup
	defer func() { end(); serving.Wait() }()
	for _, d := range doors {
		l, closing, err := d.at.Listen()
		if err != nil {
			return configuration(err)
		}
		at := d.at.String()
		if d.at.Path == "" {
			at = "http://" + l.Addr().String()
		}
		log.Info(fmt.Sprintf("run control listens at %s", strings.ReplaceAll(at, "\n", " ")))
		serving.Go(func() {
			defer closing()
			failed <- serve(ctx, l, control.NewServer(control.Handler(p, d.token, over)))
		})
	}
	s := p.Status()
	log.Info(fmt.Sprintf("partition %s is %v; the last run was %d", s.Partition, s.State, s.Run))
	select {
	case <-ctx.Done():
	case <-over:
	case err := <-failed:
		return general(err)
	}
	return nil
}
