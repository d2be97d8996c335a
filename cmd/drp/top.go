package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"drp/watch"
)

const topLong = `top shows a run as it goes on: rates, latencies, and each worker with its load and its memory. Every figure is of the
time since the one before. q ends it; the run does not notice.

  drp top
  drp top --partition tst
  drp top "http://127.0.0.1:8080/?token=…"    the address that drp --http has printed, here or through a tunnel

Where the output is no terminal, it is one picture after the other, --count of them.`

func newTopCommand() *cobra.Command {
	f, every, times := lookFlags{}, time.Second, 0
	cmd := &cobra.Command{
		Use:   "top [ADDRESS]",
		Short: "Watch a run in the terminal",
		Long:  topLong,
		Args:  needs(0, 1),
		RunE: func(cmd *cobra.Command, words []string) error {
			if every < 100*time.Millisecond {
				return fmt.Errorf("--every %v: give 100ms or more", every)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			client, status, err := f.one(ctx, words)
			if err != nil {
				return err
			}
			defer client.Close()
			return general(top(ctx, client, status, every, times))
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&every, "every", every, "time from one picture to the next")
	cmd.Flags().IntVar(&times, "count", 0, "end after so many pictures (0: when the run ends)")
	return cmd
}

// top shows pictures until the run ends, somebody ends it, or there were enough.
func top(ctx context.Context, client *watch.Client, before *watch.Status, every time.Duration, times int) error {
	screen, quit, leave, err := openCanvas(os.Stdout)
	if err != nil {
		return err
	}
	defer leave()
	screen(pictureOf(nil, before))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for shown := 1; times == 0 || shown < times; shown++ {
		select {
		case <-tick.C:
		case <-quit:
			return nil
		case <-ctx.Done():
			return nil
		}
		now, err := client.Status(ctx)
		if err != nil {
			leave()
			fmt.Printf("the run of process %d has ended, or does not answer: %v\n", before.PID, err)
			return nil
		}
		screen(pictureOf(before, now))
		before = now
	}
	return nil
}

// openCanvas takes a terminal over: show draws, quit is closed when somebody wants to leave. Elsewhere pictures follow each
// other.
func openCanvas(out *os.File) (show func([]string), quit <-chan struct{}, leave func(), err error) {
	if !term.IsTerminal(int(out.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
		return func(lines []string) { fmt.Fprintln(out, strings.Join(lines, "\n")+"\n") }, nil, func() {}, nil
	}
	before, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return nil, nil, nil, err
	}
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // another page, no cursor
	left := false
	leave = func() {
		if !left {
			left = true
			fmt.Fprint(out, "\x1b[?25h\x1b[?1049l")
			_ = term.Restore(int(os.Stdin.Fd()), before)
		}
	}
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		awaitQuit(os.Stdin)
	}()
	return func(lines []string) {
		width, height, err := term.GetSize(int(out.Fd()))
		if err != nil {
			width, height = 80, 24
		}
		fmt.Fprint(out, canvas(lines, width, height))
	}, pressed, leave, nil
}

// awaitQuit returns when somebody presses q or Ctrl-C, or there is no keyboard any more.
func awaitQuit(keys io.Reader) {
	key := make([]byte, 1)
	for {
		n, err := keys.Read(key)
		if err != nil && !errors.Is(err, syscall.EINTR) || n == 1 && (key[0] == 'q' || key[0] == 3) {
			return
		}
	}
}

// canvas fits lines into a terminal, and draws over what is there. The last line says what does not fit.
func canvas(lines []string, width, height int) string {
	var b strings.Builder
	b.WriteString("\x1b[H")
	widest, hidden := 0, ""
	for _, line := range lines {
		widest = max(widest, utf8.RuneCountInString(line))
	}
	if widest > width {
		hidden = fmt.Sprintf("cut at column %d of %d", width, widest)
	}
	if n := len(lines) - height; n > 0 || n == 0 && hidden != "" {
		hidden = strings.TrimSuffix(fmt.Sprintf("%d more lines; %s", n+1, hidden), "; ")
		lines = lines[:height-1]
	}
	if hidden != "" {
		lines = append(lines[:len(lines):len(lines)], hidden)
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		if r := []rune(line); len(r) > width {
			line = string(r[:max(0, width-1)]) + "…"
		}
		b.WriteString(line + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.String()
}
