package darks_test

import (
	"bytes"
	"image/png"
	"testing"

	"drp/calib/darks"
	"drp/internal/testkit"
)

// TestPicture looks whether bad pixels are seen, and pedestals in their colours.
func TestPicture(t *testing.T) {
	c := newCamera("jungfrau_small", "M1", "M2", "M3")
	run := c.begin(t)
	for range 40 {
		run = append(run, c.event(t, func(s, i int) uint16 {
			if s == 1 && i == 0 {
				return 77
			}
			return uint16(c.value(0, s, i))
		}))
	}
	r := made(t, darks.Options{}, testkit.File(t, run...))
	var b bytes.Buffer
	if err := darks.WritePicture(&b, r.Set); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	red, colours := 0, map[any]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			at := img.At(x, y)
			colours[at] = true
			if r, g, b, _ := at.RGBA(); r>>8 == 200 && g>>8 == 30 && b>>8 == 30 {
				red++
			}
		}
	}
	if red != 1 || len(colours) < 50 {
		t.Errorf("%d bad pixels are seen and %d colours", red, len(colours))
	}
}
