// Package nearest finds the word that somebody may have meant.
package nearest

import "strings"

// farthest is how many letters may differ.
const farthest = 2

// Of gives the first word that differs least, "" if all differ by more than two letters, or by more than half of theirs.
func Of(word string, all []string) string {
	best, distance := "", min(farthest, len(word)/2)+1
	for _, other := range all {
		if strings.EqualFold(word, other) {
			return other
		}
		if d := Distance(word, other); d < distance {
			best, distance = other, d
		}
	}
	return best
}

// longest bounds what a comparison costs.
const longest = 256

// Distance is the Levenshtein distance; that of very long words is not looked at, and is their length.
func Distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
