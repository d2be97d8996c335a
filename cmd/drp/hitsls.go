package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/hit"
	"drp/xtc"
)

type hitsLsFlags struct {
	source   hitSource
	hits     bool
	from     int64
	most     int
	minCount uint32
	peaks    bool
	asJSON   bool

	listed  int
	events  int
	found   int
	without int // events that could not be searched, or have no block of hits
	out     *bufio.Writer
}

func newHitsLsCommand() *cobra.Command {
	f := &hitsLsFlags{}
	cmd := &cobra.Command{
		Use:   "ls FILE",
		Short: "List the events of a file with what was found in them",
		Long: `ls prints a line for each event: its number in the file, its time, the count that makes it a hit, the peaks, their
pixels (the median), the sum over all peaks, the highest peak, the mean background, and where it was searched.`,
		Example: `  drp hits ls out/exp-r0005-s000-c000.xtc2 --hits -n 20
  drp hits ls run.xtc2 --calib constants --find peakfinder8:min_snr=6,adc_threshold=50`,
		Args: aloneFile("drp hits ls run.xtc2"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if err := errors.Join(fromZero("--from", f.from), fromZero("-n", int64(f.most))); err != nil {
				return err
			}
			search, _, err := f.source.search()
			if err != nil {
				return err
			}
			if search == nil {
				f.source.calib.store = noStore // what was recorded needs no constants
			}
			f.source.skip = func(number int64) bool { return number < f.from }
			frames, err := f.source.open(ctx, args[0])
			if err != nil {
				return err
			}
			defer f.source.close(frames)
			if err := mustHaveHits(frames, search != nil); err != nil {
				return err
			}
			return f.list(frames, search)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	f.source.addFind(cmd)
	fl.BoolVar(&f.hits, "hits", false, "only events that are hits")
	fl.Int64Var(&f.from, "from", 0, "begin with this event; the first one is 0")
	fl.IntVarP(&f.most, "number", "n", 0, "print at most so many events (0: all)")
	fl.Uint32Var(&f.minCount, "min-count", 0, "only events with so many peaks, photons or pixels, or more")
	fl.BoolVar(&f.peaks, "peaks", false, "print each peak, too")
	fl.BoolVar(&f.asJSON, "json", false, "print a line of JSON for each event, with its peaks")
	return cmd
}

// list goes over the events.
func (f *hitsLsFlags) list(frames *drp.Frames, search *drp.FrameSearch) error {
	f.out = bufio.NewWriter(&stdout)
	err := frames.Each(&drp.EachFrame{Workers: runtime.NumCPU(), Search: search,
		Work: func(_ context.Context, _ int, e *drp.Frame) error {
			if search != nil {
				return mustHaveConstants(frames, e)
			}
			return nil
		},
		Done: f.event})
	ended := errors.Is(err, errEnough)
	if ended {
		err = nil
	}
	if err == nil && !f.asJSON {
		f.summarise(ended)
	}
	if flushed := f.out.Flush(); err == nil && flushed != nil {
		return general(flushed)
	}
	return frameError(err)
}

// errEnough ends a list before its file does.
var errEnough = errors.New("enough")

func (f *hitsLsFlags) summarise(ended bool) {
	share := 0.
	if f.events > f.without {
		share = 100 * float64(f.found) / float64(f.events-f.without)
	}
	where := "events"
	if ended {
		where = "events so far"
	}
	fmt.Fprintf(f.out, "%d hits in %d %s (%.3g %%)\n", f.found, f.events-f.without, where, share)
	if f.without > 0 {
		fmt.Fprintf(f.out, "%d events have nothing about hits: their pixels were not complete\n", f.without)
	}
}

// event prints one where it is wanted.
func (f *hitsLsFlags) event(e *drp.Frame) error {
	f.events++
	if !e.Recorded {
		f.without++
		return nil
	}
	if e.Hits.Hit {
		f.found++
	}
	if f.hits && !e.Hits.Hit || e.Hits.Count < f.minCount {
		return nil
	}
	if err := f.print(e); err != nil {
		return err
	}
	if f.listed++; f.listed == f.most {
		return errEnough
	}
	return nil
}

// by says where an event was searched, as the record has it.
var by = []string{"CPU", "GPU", "CPU, since the GPU failed"}

func whoFound(n hit.Maker) string { return by[min(int(n), len(by)-1)] }

func (f *hitsLsFlags) print(e *drp.Frame) error {
	h := &e.Hits
	if f.asJSON {
		text, err := json.Marshal(eventOf(e))
		if err == nil {
			_, err = fmt.Fprintf(f.out, "%s\n", text)
		}
		return general(err)
	}
	if f.listed == 0 {
		fmt.Fprintf(f.out, "%8s  %-30s %7s %4s %6s %5s %10s %9s %9s  %s\n", "event", "time", "count", "hit", "peaks", "npix", "total",
			"max", "backgr.", "by")
	}
	word := "-"
	if h.Hit {
		word = "hit"
	}
	more := ""
	if h.Truncated {
		more = fmt.Sprintf(", %d peaks are kept", len(h.Peaks))
	}
	_, err := fmt.Fprintf(f.out, "%8d  %-30v %7d %4s %6d %5d %10.5g %9.4g %9.4g  %s%s\n", e.Number, xtc.TimestampOf(e.Time), h.Count, word,
		h.Summary.Peaks, medianPixels(h.Peaks), h.Total, h.Max, h.Background, whoFound(h.By), more)
	for i := range h.Peaks {
		if !f.peaks {
			break
		}
		p := &h.Peaks[i]
		_, err = fmt.Fprintf(f.out, "          segment %d row %.2f col %.2f: %d pixels, total %.5g, max %.4g, background %.4g, sigma %.3g, snr %.3g\n",
			p.Segment, p.Row, p.Col, p.NPix, p.Total, p.Max, p.Background, p.Sigma, p.SNR)
	}
	return general(err)
}

func medianPixels(peaks []hit.Peak) uint16 {
	if len(peaks) == 0 {
		return 0
	}
	var all []uint16
	for i := range peaks {
		all = append(all, peaks[i].NPix)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// listedEvent is a line of JSON.
type listedEvent struct {
	Event      int64          `json:"event"`
	Time       xtc.Timestamp  `json:"time"`
	Pulse      uint64         `json:"pulse_id"`
	Count      uint32         `json:"count"`
	Hit        bool           `json:"hit"`
	Truncated  bool           `json:"truncated"`
	By         string         `json:"by"`
	Peaks      uint32         `json:"peaks"`
	Pixels     uint32         `json:"pixels"`
	Switched   uint32         `json:"switched"`
	Photons    uint32         `json:"photons"`
	Total      float32        `json:"total"`
	Max        float32        `json:"max"`
	Background float32        `json:"background"`
	Thresholds *xtc.Timestamp `json:"thresholds,omitempty"` // of the event that they were made from, where it is another
	List       []listedPeak   `json:"list"`
}

type listedPeak struct {
	Segment    uint16  `json:"segment"`
	NPix       uint16  `json:"npix"`
	Row        float32 `json:"row"`
	Col        float32 `json:"col"`
	Total      float32 `json:"total"`
	Max        float32 `json:"max"`
	Background float32 `json:"background"`
	Sigma      float32 `json:"sigma"`
	SNR        float32 `json:"snr"`
}

func eventOf(e *drp.Frame) *listedEvent {
	h := &e.Hits
	l := &listedEvent{Event: e.Number, Time: xtc.TimestampOf(e.Time), Pulse: e.Pulse, Count: h.Count, Hit: h.Hit,
		Truncated: h.Truncated, By: whoFound(h.By), Peaks: h.Summary.Peaks, Pixels: h.Pixels, Switched: h.Switched,
		Photons: h.Photons, Total: h.Total, Max: h.Max, Background: h.Background, List: []listedPeak{}}
	if h.Thresholds != 0 {
		from := xtc.TimestampOf(h.Thresholds)
		l.Thresholds = &from
	}
	for _, p := range h.Peaks {
		l.List = append(l.List, listedPeak(p))
	}
	return l
}
