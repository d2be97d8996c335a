package main

import (
	"bufio"
	"fmt"
	"image/png"
	"os"

	"drp/hit/plot"
	"drp/page"
)

// pictureFile holds the newest picture. It is drawn and written beside what goes on, since that takes a while of a large one.
type pictureFile struct {
	path    string
	writing chan error // has how the last one went; nil before the first
	event   uint64     // shown last when it was drawn
}

// offer writes the picture of the last event, if there is a new one and the one before is written. It tells how that went.
func (f *pictureFile) offer(p *plotter) error {
	if f == nil {
		return nil
	}
	if f.writing != nil {
		select {
		case err := <-f.writing:
			if f.writing = nil; err != nil {
				return err
			}
		default:
			return nil
		}
	}
	picture := p.viewer.Picture(1)
	if picture == nil || f.event == p.shown {
		return nil
	}
	f.event, f.writing = p.shown, make(chan error, 1)
	frame, done := frameOf(picture, p), f.writing
	go func() { done <- writeFrame(f.path, frame) }()
	return nil
}

// close waits until the picture of the last event is written.
func (f *pictureFile) close(p *plotter) error {
	if f.writing != nil {
		if err := <-f.writing; err != nil {
			return err
		}
		f.writing = nil
	}
	if err := f.offer(p); err != nil || f.writing == nil {
		return err
	}
	return <-f.writing
}

// frameOf is what is drawn of a picture.
func frameOf(p *page.Picture, by *plotter) *plot.Frame {
	seen := by.viewer.Seen()
	f := &plot.Frame{Title: eventTitle(by.name, &seen), Pixels: p.Values, Rows: p.Rows, Cols: p.Cols, Low: by.flags.low, High: by.flags.high,
		Unit: p.Unit}
	for _, at := range p.Peaks {
		f.Spots = append(f.Spots, plot.Spot{Row: at.Y, Col: at.X, Radius: 2})
	}
	if p.Centre != nil {
		f.Beam = &plot.Beam{Row: p.Centre.Y, Col: p.Centre.X, Distance: p.Distance}
		if p.Energy > 0 {
			f.Beam.Wavelength = 12398.42 / p.Energy
		}
	}
	return f
}

// writeFrame puts a picture in the place of the one before, of which whoever reads it sees all or nothing.
func writeFrame(path string, f *plot.Frame) error {
	part := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	err := writeNew(part, func(w *bufio.Writer) error { return encoder.Encode(w, plot.Draw(f)) })
	if err == nil {
		err = notThere(path, true)
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("--png: %w", err)
	}
	return nil
}
