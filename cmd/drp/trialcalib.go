package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"drp/drp"
	"drp/internal/npy"
	"drp/record"
)

// writeCorrected puts what the script may ask for of an event into files beside it: DETECTOR-NAME.npy. What cannot be
// corrected is told; a script that asks for it fails then, and says so too.
func writeCorrected(dir string, q *record.Quarantined, place *storeFlag) error {
	if place.name == noStore {
		return nil
	}
	path, named, err := place.place()
	if err != nil && !named {
		return nil // no store, and nobody asked for one
	}
	if _, missing := os.Stat(path); missing != nil && !named {
		return nil
	}
	s, err := place.open(false)
	if err != nil {
		return err
	}
	all, trouble := drp.CorrectEvent(context.Background(), q.State, q.Event, s)
	err = s.Close()
	if trouble != nil {
		fmt.Fprintf(os.Stderr, "drp: %v\n", trouble)
	}
	for i := range all {
		err = errors.Join(err, writeArrays(dir, &all[i]))
	}
	return err
}

// searchEvent looks for hits in the event, where that is wanted, for the script to see.
func searchEvent(q *record.Quarantined, find *hitsFlag, place *storeFlag) error {
	c, err := find.config()
	if c == nil || err != nil {
		return err
	}
	if place.name == noStore {
		return configuration(errors.New("hits are found with the constants of the camera: name a store with --calib"))
	}
	s, err := place.open(false)
	if err != nil {
		return err
	}
	configure, event, found, err := drp.SearchEvent(context.Background(), q.State, q.Event, s, *c)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	q.State[0], q.Event = configure, event
	switch {
	case found == nil:
		printLine("hits: not searched, since pixels are missing")
	case found.Hit:
		printf("hits: %s finds %d, a hit\n", c.Finder, found.Count)
	default:
		printf("hits: %s finds %d, no hit\n", c.Finder, found.Count)
	}
	return nil
}

func writeArrays(dir string, c *drp.Corrected) error {
	s := c.Set
	frame := []int{len(s.Serials), s.Rows, s.Cols}
	ranges := append([]int{s.Ranges()}, frame...)
	path := func(name string) string { return filepath.Join(dir, c.Detector+"-"+name+".npy") }
	err := errors.Join(writeArray(path("calib"), frame, c.Calib), writeArray(path("mask"), frame, s.Mask),
		writeArray(path("pedestals"), ranges, s.Pedestals), writeArray(path("gains"), ranges, s.Gains))
	if c.Image != nil {
		err = errors.Join(err, writeArray(path("image"), []int{c.ImageRows, c.ImageCols}, c.Image))
	}
	if s.RMS != nil {
		err = errors.Join(err, writeArray(path("rms"), ranges, s.RMS))
	}
	if s.Status != nil {
		err = errors.Join(err, writeArray(path("status"), ranges, s.Status))
	}
	return err
}

func writeArray[T npy.Number](path string, shape []int, values []T) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(npy.Write(f, shape, values), f.Close())
}
