package drp

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"drp/xtc"
)

// EachFrame says what is done with the frames of a file, on several cores.
type EachFrame struct {
	Workers int
	Search  *FrameSearch                    // for hits; nil where those that were recorded count
	Wanted  func(e *Frame) (want, end bool) // in the order of the file, before the search; may be nil
	Work    func(ctx context.Context, worker int, e *Frame) error
	Done    func(e *Frame) error // in the order of the file; the frame is used again afterwards
}

// frameJob is a frame under way.
type frameJob struct {
	e    *Frame
	err  error
	done chan struct{}
}

// Each goes over all frames that are left. Frames under way are as many as there are workers, and two: one that is read,
// and one that is done. The first error ends it, and is given when no goroutine is left.
func (f *Frames) Each(o *EachFrame) error {
	ctx, cancel := context.WithCancelCause(f.ctx)
	defer cancel(nil)
	n := o.Workers + 2
	free, work, ordered := make(chan *Frame, n), make(chan *frameJob, n), make(chan *frameJob, n)
	for range n {
		free <- &Frame{}
	}
	var under sync.WaitGroup
	for k := range o.Workers {
		under.Go(func() {
			var finder FrameFinder
			for j := range work {
				if o.Search != nil {
					finder.Find(j.e)
				}
				if o.Work != nil {
					j.err = o.Work(ctx, k, j.e)
				}
				close(j.done)
			}
		})
	}
	var read error
	under.Go(func() {
		defer close(ordered)
		defer close(work)
		read = f.feed(ctx, o, free, func(j *frameJob) { work <- j; ordered <- j })
	})
	var err error
	for j := range ordered {
		<-j.done
		if err == nil {
			if err = j.err; err == nil && o.Done != nil {
				err = o.Done(j.e)
			}
			if err != nil {
				cancel(err)
			}
		}
		free <- j.e
	}
	under.Wait()
	if err == nil {
		err = read
	}
	return err
}

// feed reads frames and hands them on.
func (f *Frames) feed(ctx context.Context, o *EachFrame, free <-chan *Frame, hand func(*frameJob)) error {
	for {
		e := <-free // all come back, whatever happens
		if err := context.Cause(ctx); err != nil {
			return err
		}
		for {
			err := f.Next(e)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if o.Wanted == nil {
				break
			}
			want, end := o.Wanted(e)
			if end {
				return nil
			}
			if want {
				break
			}
		}
		if o.Search != nil {
			if err := o.Search.Assign(e); err != nil {
				return err
			}
		}
		hand(&frameJob{e: e, done: make(chan struct{})})
	}
}

// FrameBytes is how many bytes a file and the chunks after it have.
func FrameBytes(path string) (total int64) {
	for _, chunk := range chunksFrom(path) {
		if info, err := os.Stat(chunk); err == nil {
			total += info.Size()
		}
	}
	return total
}

// CountFrames is how many events a file and the chunks after it have. Only headers are read.
func CountFrames(path string) (total int64, err error) {
	for _, chunk := range chunksFrom(path) {
		l, err := xtc.Ls(chunk)
		if err != nil {
			return 0, err
		}
		total += int64(l.Count[xtc.L1Accept.String()])
	}
	return total, nil
}

// chunksFrom names a file and the chunks after it, by their numbers.
func chunksFrom(path string) []string {
	all := []string{path}
	name, named := xtc.ParseFileName(path)
	for named {
		name.Chunk++
		next := filepath.Join(filepath.Dir(path), name.Data())
		if !exists(next) {
			break
		}
		all = append(all, next)
	}
	return all
}
