package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/publish"
	"drp/internal/wire"
)

// watchOptions say what is of interest.
type watchOptions struct {
	partition, detector string // all when they are empty
	connect             string // HOST:PORT of another machine, instead of the sockets of this user
	asJSON              bool
	count               int // lines until it ends; for ever when it is 0
}

func newCalibWatchCommand() *cobra.Command {
	o := watchOptions{}
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Print which constants are being broadcast",
		Long: `watch prints a line for each set of constants that runs of this user broadcast on this machine, the current ones at
once, and then each new generation, until it is interrupted. Runs that begin later are found, and runs that end and begin
again are found again. With --connect it listens to the run on another machine (see --calib-listen), takes the constants
themselves, and checks them.

A generation that was broadcast and never came, and a message that cannot be used, are told on standard error.`,
		Args: needs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromZero("-n", int64(o.count)); err != nil {
				return err
			}
			if o.connect != "" {
				if err := checkHostPort("--connect", o.connect); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return general(watchConstants(ctx, o, &stdout))
		},
	}
	cmd.Flags().StringVar(&o.partition, "partition", "", "only those of this partition")
	cmd.Flags().StringVar(&o.detector, "detector", "", "only those of this detector")
	cmd.Flags().StringVar(&o.connect, "connect", "", "listen to `HOST:PORT`")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print a JSON object per line")
	cmd.Flags().IntVarP(&o.count, "count", "n", 0, "end after so many lines (default: go on until interrupted)")
	return cmd
}

// heard is something that one of the sockets had to say.
type heard struct {
	*publish.Received
	place string
	err   error
}

// watchConstants prints until ctx ends, which is no error.
func watchConstants(ctx context.Context, o watchOptions, out io.Writer) error {
	ctx, end := context.WithCancel(ctx)
	w := &watcher{o: o, out: out, news: make(chan heard), known: map[string]bool{}}
	defer w.listening.Wait()
	defer end()
	if o.connect != "" {
		return errors.Join(w.listen(ctx, wire.Endpoint{Address: o.connect}, nobodyAt(o.connect)), w.print(ctx))
	}
	folder, err := publish.Folder()
	if err != nil {
		return err
	}
	if err := w.look(ctx, folder); err != nil {
		return err
	}
	if len(w.known) == 0 {
		fmt.Fprintln(os.Stderr, "drp: nothing is broadcast yet; this waits for it")
	}
	w.listening.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
				_ = w.look(ctx, folder) // it was possible a second ago, and will be tried again
			}
		}
	})
	return w.print(ctx)
}

type watcher struct {
	o         watchOptions
	out       io.Writer
	news      chan heard
	listening sync.WaitGroup
	known     map[string]bool // sockets that are listened to; used by one goroutine at a time
	headed    bool
}

// look listens to the sockets that are new.
func (w *watcher) look(ctx context.Context, folder string) error {
	sockets, err := publish.Sockets(folder)
	if err != nil {
		return err
	}
	for _, path := range sockets {
		if w.known[path] {
			continue
		}
		w.known[path] = true
		if err := w.listen(ctx, wire.Endpoint{Path: path}, nil); err != nil {
			return err
		}
	}
	return nil
}

// nobodyAt says once that nobody answers.
func nobodyAt(address string) func(error) {
	var once sync.Once
	return func(err error) {
		once.Do(func() {
			if errors.Is(err, syscall.ECONNREFUSED) {
				err = syscall.ECONNREFUSED // the rest names the address again
			}
			fmt.Fprintf(os.Stderr, "drp: nobody answers at %s (%v); this tries again until somebody does\n", address, err)
		})
	}
}

func (w *watcher) listen(ctx context.Context, e wire.Endpoint, unanswered func(error)) error {
	s, err := publish.Subscribe(e, publish.SubscribeOptions{Wire: wire.Options{Unanswered: unanswered}})
	if err != nil {
		return err
	}
	w.listening.Go(func() {
		defer s.Close()
		for ctx.Err() == nil {
			r, err := s.Next(ctx)
			select {
			case w.news <- heard{r, e.String(), err}:
			case <-ctx.Done():
			}
		}
	})
	return nil
}

func (w *watcher) print(ctx context.Context) error {
	for lines := 0; w.o.count == 0 || lines < w.o.count; {
		select {
		case <-ctx.Done():
			return nil
		case h := <-w.news:
			if h.err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", h.place, h.err)
				continue
			}
			if w.o.partition != "" && h.Partition != w.o.partition || w.o.detector != "" && h.Detector != w.o.detector {
				continue
			}
			if err := w.line(h); err != nil {
				return err
			}
			lines++
		}
	}
	return nil
}

func (w *watcher) line(h heard) error {
	if h.Missed > 0 {
		fmt.Fprintf(os.Stderr, "%s: %d generations before this one never came\n", h.place, h.Missed)
	}
	if w.o.asJSON {
		return json.NewEncoder(w.out).Encode(struct {
			*publish.Announcement
			Place  string `json:"place"`
			Missed uint64 `json:"missed"`
			Anew   bool   `json:"anew"`
		}{h.Announcement, h.place, h.Missed, h.Anew})
	}
	const columns = "%-12s %-16s %-12s %5v %10v  %-12s %-12s %8s  %8s  %s\n"
	if !w.headed {
		w.headed = true
		fmt.Fprintf(w.out, columns, "partition", "detector", "segments", "run", "generation", "set", "digest", "MB", "shm", "from")
	}
	where := strconv.Itoa(h.Segment)
	if h.Set != nil {
		where = "checked"
	}
	_, err := fmt.Fprintf(w.out, columns, plain(h.Partition), plain(h.Detector), plain(calib.Serial(h.Serials)), h.Run,
		h.Generation, plain(short(h.SetID)), short(h.Digest), fmt.Sprintf("%.1f", float64(h.Bytes)/1e6), where, plain(h.From))
	return err
}

// plain is a word of somebody else, in quotes where it could do more to a terminal than be read.
func plain(text string) string {
	if text == "" {
		return "-"
	}
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return strings.ToValidUTF8(quoted, "")
	}
	return text
}
