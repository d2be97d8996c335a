package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/internal/wire"
	"drp/karabo"
	"drp/monitor"
)

// bridgeFlags are those of drp karabo.
type bridgeFlags struct {
	consumerFlags
	rep, pub, push []string
	allow          []string
	status         time.Duration
}

// bridgeAddress is the one of clients that are not told another.
const bridgeAddress = "tcp://127.0.0.1:4545"

func newKaraboCommand() *cobra.Command {
	var f bridgeFlags
	cmd := &cobra.Command{
		Use:   "karabo PARTITION/DETECTOR",
		Short: "Show the events of a run to programs that speak the Karabo bridge protocol",
		Long: `karabo watches a run of this machine and this user that was started with --monitor, and gives its events to clients of the
Karabo bridge protocol 2.2, as karabo_bridge. It never slows the run, and goes on with the next one (docs/karabo.md).

  drp -p myroi.py --monitor tmo/epix                     a run that can be watched
  drp karabo tmo/epix                                    its events, at ` + bridgeAddress + `
  drp karabo tmo/epix --pub tcp://127.0.0.1:4546 --hits --newest

  python -c 'import karabo_bridge; print(karabo_bridge.Client("` + bridgeAddress + `").next())'`,
		Args: needs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.consumerFlags.complete(args[0]); err != nil {
				return err
			}
			sockets, err := f.sockets()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return f.serve(ctx, args[0], sockets)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringSliceVar(&f.rep, "rep", nil, "`ADDRESS` where each request gets one event (default "+bridgeAddress+", where no other is given)")
	fl.StringSliceVar(&f.pub, "pub", nil, "`ADDRESS` where all who have subscribed get each event")
	fl.StringSliceVar(&f.push, "push", nil, "`ADDRESS` where each event goes to one of those who pull")
	fl.StringSliceVar(&f.allow, "allow", nil, "other machines that may connect, as `10.1.2.0/24` (default: none)")
	f.consumerFlags.choice(fl)
	fl.DurationVar(&f.status, "status", 0, "how often to say who is connected and what they got (0: when they come and go only)")
	return cmd
}

// sockets reads the addresses.
func (f *bridgeFlags) sockets() (all []karabo.Socket, err error) {
	allowed, err := networks("--allow", f.allow)
	if err != nil {
		return nil, err
	}
	if len(f.rep)+len(f.pub)+len(f.push) == 0 {
		f.rep = []string{bridgeAddress}
	}
	for _, these := range []struct {
		kind      wire.OutletKind
		flag      string
		addresses []string
	}{{wire.Reply, "--rep", f.rep}, {wire.Publish, "--pub", f.pub}, {wire.Push, "--push", f.push}} {
		if all, err = appendSockets(all, these.flag, these.kind, these.addresses); err != nil {
			return nil, err
		}
	}
	for i := range all {
		all[i].Endpoint.Allow = allowed
	}
	return all, nil
}

// appendSockets reads addresses as ZeroMQ writes them, where * is each of this machine's.
func appendSockets(all []karabo.Socket, flag string, kind wire.OutletKind, addresses []string) ([]karabo.Socket, error) {
	for _, address := range addresses {
		e, err := parseEndpoint(strings.Replace(address, "://*:", "://:", 1))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		all = append(all, karabo.Socket{Kind: kind, Endpoint: e})
	}
	return all, nil
}

// serve shows the run, and those that follow it, until it is told to end.
func (f *bridgeFlags) serve(ctx context.Context, name string, sockets []karabo.Socket) error {
	b, err := openBridge(name, f.choose, sockets, newScreen(os.Stderr, false).logger())
	if err != nil {
		return err
	}
	defer b.close()
	if f.status == 0 {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(f.status)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			printBridge(b.server.Books())
		}
	}
}

// bridge gives the events of a run to clients, beside everything else.
type bridge struct {
	server  *karabo.Server
	log     *slog.Logger
	stop    context.CancelFunc
	running sync.WaitGroup
}

// openBridge begins to; the run need not be there yet.
func openBridge(name string, choose monitor.Choice, sockets []karabo.Socket, log *slog.Logger) (*bridge, error) {
	w := &bridgeWatch{name: name, choose: choose, log: log}
	s, err := karabo.Listen(karabo.Config{Name: name, Watch: w.watch, Log: log}, sockets...)
	if err != nil {
		return nil, &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	tellBridge(log, s, sockets)
	ctx, stop := context.WithCancel(context.Background())
	b := &bridge{server: s, log: log, stop: stop}
	b.running.Go(func() { s.Run(ctx) })
	return b, nil
}

// close ends all connections. A nil bridge has none.
func (b *bridge) close() {
	if b == nil {
		return
	}
	b.stop()
	b.running.Wait()
	for _, k := range b.server.Books() {
		b.log.Info(fmt.Sprintf("karabo: %s %s has given %d events; %d were missed", k.Kind, k.Address, k.Events, k.Missed))
	}
}

// tellBridge says where clients connect to, and who can.
func tellBridge(log *slog.Logger, s *karabo.Server, sockets []karabo.Socket) {
	for i, b := range s.Books() {
		log.Info(fmt.Sprintf("karabo: %s at %s", b.Kind, b.Address))
		e := sockets[i].Endpoint
		at, err := netip.ParseAddrPort(strings.TrimPrefix(b.Address, "tcp://"))
		switch {
		case e.Path != "" || err != nil || at.Addr().Unmap().IsLoopback():
		case len(e.Allow) == 0:
			log.Warn(fmt.Sprintf("karabo: only this machine can connect to %s: name others with --allow 10.1.2.0/24", b.Address))
		default:
			log.Warn(fmt.Sprintf("karabo: other machines can connect to %s, whoever uses them, and nothing is encrypted: use it within a "+
				"network that you trust, or 127.0.0.1 and a tunnel", b.Address))
		}
	}
}

// printBridge prints a line for each socket and for each who is connected.
func printBridge(all []karabo.Books) {
	for _, b := range all {
		printf("%s %s: %d events, %d missed, %d clients, %d refused\n", b.Kind, b.Address, b.Events, b.Missed, len(b.Consumers), b.Refused)
		for _, c := range b.Consumers {
			printf("  %-24s %8.0f s  %10d events  %10.1f MB  %8d without room  %6d bad requests\n", c.Address,
				time.Since(c.Since).Seconds(), c.Messages, float64(c.Bytes)/1e6, c.Dropped, c.Bad)
		}
	}
}

// bridgeWatch watches a run as often as it is wanted.
type bridgeWatch struct {
	name   string
	choose monitor.Choice
	log    *slog.Logger
}

// Pauses between two attempts to find a run.
const (
	absentPause  = 100 * time.Millisecond
	refusedPause = 2 * time.Second
)

// watch waits for a run.
func (w *bridgeWatch) watch(ctx context.Context) (karabo.Stream, error) {
	for told := false; ; {
		c, err := monitor.Dial(ctx, w.name, w.choose, "drp karabo")
		if err == nil {
			return bridged{c}, nil
		}
		pause := absentPause
		if ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
			w.log.Warn("karabo: the run cannot be watched, which is tried again", "error", err)
			pause = refusedPause
		} else if !told {
			w.log.Info(fmt.Sprintf("karabo: waiting for a run that is started with --monitor %s", w.name))
		}
		told = true
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// bridged is a run as the bridge sees it.
type bridged struct{ *monitor.Client }

// Next implements karabo.Stream.
func (w bridged) Next(ctx context.Context) (karabo.Event, error) {
	it, err := w.Client.Next(ctx)
	if err != nil {
		return karabo.Event{}, err
	}
	return karabo.Event{Dgram: it.Dgram, Number: it.Number, Missed: it.Missed, Bits: it.Bits, Hit: it.Flags&monitor.Hit != 0,
		Rejected: it.Flags&monitor.Rejected != 0, Vetoed: it.Flags&monitor.Vetoed != 0}, nil
}
