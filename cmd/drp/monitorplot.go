package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"drp/monitor"
	"drp/page"
)

// plotFlags are those of pictures.
type plotFlags struct {
	terminal  bool
	file      string
	contrast  string
	low, high float64 // percentiles
}

func (f *plotFlags) add(fl *pflag.FlagSet) {
	fl.BoolVar(&f.terminal, "plot", false, "show the newest event as a picture in this terminal, with its peaks marked; q ends it")
	fl.StringVar(&f.file, "png", "", "keep the newest picture in this PNG `file`, written about every second")
	fl.StringVar(&f.contrast, "contrast", "2:99.8", "percentiles of the pixels that are dark and bright in pictures")
}

func (f *plotFlags) wanted() bool { return f.terminal || f.file != "" }

// plots tells whether pictures are wanted, and refuses what does not go with them.
func (f *consumerFlags) plots(names []string) (bool, error) {
	p := &f.plot
	if !p.wanted() {
		return false, nil
	}
	var err error
	if p.low, p.high, err = twoNumbers("--contrast", p.contrast); err != nil || p.low < 0 || p.low >= p.high || p.high > 100 {
		return false, fmt.Errorf("--contrast %s: give two percentiles from 0 to 100, as 2:99.8", p.contrast)
	}
	if p.file != "" {
		if err := errors.Join(pictureName("--png", p.file), notThere(p.file, true)); err != nil {
			return false, err
		}
	}
	kind := os.Getenv("TERM")
	switch {
	case len(names) > 1 || f.whole:
		return false, errors.New("--plot and --png show one run: give one name")
	case f.asJSON || f.page.http != "":
		return false, errors.New("--plot and --png show pictures: leave --json and --http out, or give them to another drp monitor")
	case p.terminal && !isTerminal(os.Stdout):
		return false, errors.New("--plot needs a terminal, and this is none: --png FILE writes pictures without one")
	case p.terminal && (kind == "" || kind == "dumb"):
		return false, fmt.Errorf("--plot needs a terminal that shows letters where it is told to, and TERM=%s cannot: --png FILE writes pictures", kind)
	}
	f.choose.Newest = true
	return true, nil
}

// How often events are shown, and how often strips go on and the file is written.
const (
	pictureTick = 250 * time.Millisecond
	stripTick   = time.Second
)

// draw shows pictures until the run ends, or somebody ends it.
func (f *consumerFlags) draw(ctx context.Context, name string) (err error) {
	aim, err := f.page.aim.complete(true)
	if err != nil {
		return err
	}
	client, err := f.dial(ctx, name)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	p := &plotter{flags: &f.plot, name: name, limit: f.events, fed: make(chan *monitor.Item), done: make(chan struct{}), ended: make(chan error, 1)}
	p.strips.hitsOnly = f.choose.Hits || f.choose.Bits != 0
	p.viewer = page.NewViewer(ctx, client.Publisher(), nil, aim, func(text string) { p.note = text })
	if f.plot.file != "" {
		p.file = &pictureFile{path: f.plot.file}
		defer func() { err = errors.Join(err, general(p.file.close(p))) }()
	}
	var quit <-chan struct{}
	leave := func() {}
	if f.plot.terminal {
		var stop func()
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal is gone
		defer stop()
		p.out = os.Stdout
		if quit, leave, err = takeTerminal(p.out); err != nil {
			return general(err)
		}
	}
	defer leave()
	var feeding sync.WaitGroup
	defer feeding.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feeding.Go(func() { p.ended <- p.feed(ctx, client) })
	err = p.run(ctx, quit)
	leave()
	if errors.Is(err, io.EOF) {
		printf("%s has ended after event %d\n", name, p.viewer.Seen().Number)
		return nil
	}
	return general(err)
}

// plotter shows what it is fed with.
type plotter struct {
	flags  *plotFlags
	name   string
	limit  uint64
	viewer *page.Viewer
	strips strips
	out    *os.File     // the terminal; nil without
	file   *pictureFile // nil without
	note   string       // why there are no pictures
	shown  uint64

	fed   chan *monitor.Item
	done  chan struct{} // with what it was fed
	ended chan error
}

// feed asks for the next when the one before is done with: until then it is held, so that nothing is copied for us, and the
// next is the newest.
func (p *plotter) feed(ctx context.Context, client *monitor.Client) error {
	for {
		it, err := client.Next(ctx)
		if err != nil {
			return err
		}
		select {
		case p.fed <- it:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// run shows events until the end, which is io.EOF for that of the run.
func (p *plotter) run(ctx context.Context, quit <-chan struct{}) error {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	second := time.NewTicker(stripTick)
	defer second.Stop()
	var next <-chan time.Time // when the present event is done with
	p.draw()
	for p.limit == 0 || p.shown < p.limit {
		select {
		case it := <-p.fed:
			p.viewer.Take(it)
			if !it.Dgram.Service().IsEvent() {
				p.done <- struct{}{}
				continue
			}
			p.shown++
			p.strips.event(p.viewer.Seen(), time.Now())
			next = time.After(pictureTick)
			p.draw()
		case <-next:
			next = nil
			p.done <- struct{}{}
		case <-second.C:
			p.strips.second()
			if err := p.file.offer(p); err != nil {
				return err
			}
			p.draw()
		case <-resized:
			p.draw()
		case <-quit:
			return nil
		case <-ctx.Done():
			return nil
		case err := <-p.ended:
			return err
		}
	}
	return nil
}

// draw shows what is known in the terminal.
func (p *plotter) draw() {
	if p.out != nil {
		width, height := sizeOf(p.out)
		fmt.Fprint(p.out, canvas(p.lines(width, height, coloursOf(os.Getenv)), width, height))
	}
}
