package draw

import (
	"image"
	"image/color"
	"strings"
)

// TextHeight is that of a letter, with each of its dots twice as large.
const TextHeight = 2 * 5

const letterWidth = 8

// TextWidth is that of some words.
func TextWidth(words string) int { return letterWidth * len([]rune(words)) }

// letters are 3 x 5 dots each, from the top, three bits a row.
var letters = map[rune][5]uint8{
	'0': {7, 5, 5, 5, 7}, '1': {2, 6, 2, 2, 7}, '2': {7, 1, 7, 4, 7}, '3': {7, 1, 7, 1, 7}, '4': {5, 5, 7, 1, 1},
	'5': {7, 4, 7, 1, 7}, '6': {7, 4, 7, 5, 7}, '7': {7, 1, 1, 2, 2}, '8': {7, 5, 7, 5, 7}, '9': {7, 5, 7, 1, 7},
	'A': {2, 5, 7, 5, 5}, 'B': {6, 5, 6, 5, 6}, 'C': {3, 4, 4, 4, 3}, 'D': {6, 5, 5, 5, 6}, 'E': {7, 4, 6, 4, 7},
	'F': {7, 4, 6, 4, 4}, 'G': {3, 4, 5, 5, 3}, 'H': {5, 5, 7, 5, 5}, 'I': {7, 2, 2, 2, 7}, 'J': {1, 1, 1, 5, 2},
	'K': {5, 5, 6, 5, 5}, 'L': {4, 4, 4, 4, 7}, 'M': {5, 7, 7, 5, 5}, 'N': {6, 5, 5, 5, 5}, 'O': {2, 5, 5, 5, 2},
	'P': {6, 5, 6, 4, 4}, 'Q': {2, 5, 5, 6, 3}, 'R': {6, 5, 6, 5, 5}, 'S': {3, 4, 2, 1, 6}, 'T': {7, 2, 2, 2, 2},
	'U': {5, 5, 5, 5, 7}, 'V': {5, 5, 5, 5, 2}, 'W': {5, 5, 7, 7, 5}, 'X': {5, 5, 2, 5, 5}, 'Y': {5, 5, 2, 2, 2},
	'Z': {7, 1, 2, 4, 7}, '.': {0, 0, 0, 0, 2}, ',': {0, 0, 0, 2, 4}, ':': {0, 2, 0, 2, 0}, '-': {0, 0, 7, 0, 0},
	'+': {0, 2, 7, 2, 0}, '_': {0, 0, 0, 0, 7}, '/': {1, 1, 2, 4, 4}, '=': {0, 7, 0, 7, 0}, '%': {5, 1, 2, 4, 5},
	'(': {1, 2, 2, 2, 1}, ')': {4, 2, 2, 2, 4}, '>': {4, 2, 1, 2, 4}, '<': {1, 2, 4, 2, 1},
}

// Text writes in capitals; a letter that is not known leaves its place empty.
func Text(img *image.RGBA, at image.Point, c color.RGBA, words string) {
	for _, letter := range strings.ToUpper(words) {
		for y, row := range letters[letter] {
			for x := range 3 {
				if row>>(2-x)&1 == 1 {
					Fill(img, image.Rect(at.X+2*x, at.Y+2*y, at.X+2*x+2, at.Y+2*y+2), c)
				}
			}
		}
		at.X += letterWidth
	}
}
