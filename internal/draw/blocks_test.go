package draw_test

import (
	"image"
	"image/color"
	"testing"

	"drp/internal/draw"
)

// TestBlocks writes two rows of points as a line of letters, in all the ways in which a terminal may show them.
func TestBlocks(t *testing.T) {
	red, blue, grey := color.RGBA{255, 0, 0, 255}, color.RGBA{0, 0, 255, 255}, color.RGBA{128, 128, 128, 255}
	img := image.NewRGBA(image.Rect(2, 3, 6, 6)) // three rows; what is not set is transparent
	for at, c := range map[image.Point]color.RGBA{{X: 2, Y: 3}: red, {X: 2, Y: 4}: blue, {X: 3, Y: 3}: red, {X: 3, Y: 4}: blue,
		{X: 4, Y: 4}: grey, {X: 2, Y: 5}: draw.Paper, {X: 3, Y: 5}: draw.Ink} {
		img.SetRGBA(at.X, at.Y, c)
	}
	for _, test := range []struct {
		name  string
		depth draw.Depth
		want  [2]string
	}{
		{"24 bits", draw.Full, [2]string{"\x1b[38;2;255;0;0m\x1b[48;2;0;0;255m▀▀\x1b[38;2;128;128;128m\x1b[49m▄ \x1b[0m",
			"\x1b[38;2;255;255;255m▀\x1b[38;2;0;0;0m▀  \x1b[0m"}},
		{"256 colours", draw.Palette, [2]string{"\x1b[38;5;196m\x1b[48;5;21m▀▀\x1b[38;5;244m\x1b[49m▄ \x1b[0m",
			"\x1b[38;5;231m▀\x1b[38;5;16m▀  \x1b[0m"}},
		{"none", draw.Colourless, [2]string{"oo+ ", "@   "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := draw.Blocks(img, test.depth, red)
			if len(got) != 2 || got[0] != test.want[0] || got[1] != test.want[1] {
				t.Errorf("%q, not %q", got, test.want)
			}
		})
	}
}
