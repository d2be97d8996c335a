package drp

import (
	"context"
	"errors"
	"fmt"

	"drp/calib"
	"drp/xtc"
)

// Corrected is what a script may ask for of one detector in one event, outside of the pipeline.
type Corrected struct {
	Detector string
	Set      *calib.Set // with a mask for every pixel
	Calib    []float32  // (segments, rows, cols)
	Image    []float32  // (ImageRows, ImageCols); nil without a geometry

	ImageRows, ImageCols int
}

// CorrectEvent makes what scripts may ask for of an event, with the constants that a store has for its run. The event comes
// after the transitions that hold, of which the first is the Configure. A detector without constants is left out; why is
// in the error, beside what there is.
func CorrectEvent(ctx context.Context, state []xtc.Dgram, event xtc.Dgram, store calib.Store) (all []Corrected, err error) {
	table := xtc.NewTable()
	if err := table.Configure(state[0]); err != nil {
		return nil, err
	}
	run := runOf(table, state)
	for _, c := range camerasOf(table, state[0]) {
		set, trouble := store.Get(ctx, calib.Query{Detector: c.name, Serials: c.serials, Run: run})
		if trouble == nil {
			c.ready, trouble = c.suits(set)
		}
		if trouble != nil {
			err = errors.Join(err, fmt.Errorf("%s cannot be corrected: %w", c.name, trouble))
			continue
		}
		all = append(all, c.correct(table, event))
	}
	return all, err
}

func (c *camera) correct(table *xtc.Table, event xtc.Dgram) Corrected {
	m := calibMaker{c, table}
	s := m.shape()
	made := Corrected{Detector: c.name, Set: c.set, Calib: make([]float32, s[0]*s[1]*s[2])}
	m.make(made.Calib, event)
	if c.layout != nil {
		made.ImageRows, made.ImageCols = c.layout.Shape()
		made.Image = make([]float32, made.ImageRows*made.ImageCols)
		c.layout.Image(made.Image, made.Calib)
	}
	return made
}
