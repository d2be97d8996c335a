package page

import (
	"net/http"
	"time"

	"drp/internal/pace"
	"drp/watch"
)

// thrifty answers requests when it is their turn, but those that come by the socket of the run at once.
func thrifty(b *pace.Budget, guess time.Duration, h http.HandlerFunc) http.HandlerFunc {
	cost := &pace.Cost{Guess: guess}
	return func(w http.ResponseWriter, r *http.Request) {
		if watch.Local(r) {
			h(w, r)
			return
		}
		b.Do(r.Context(), cost, func() { h(w, r) })
	}
}

// What is guessed of pictures, and of words, before any were made. They are those of a large camera.
const (
	ofPicture = 4 * time.Millisecond
	ofSending = time.Millisecond
	ofWords   = 300 * time.Microsecond
)

// costs are what things that are done again and again are likely to take.
type costs struct{ first, send, news pace.Cost }

func newCosts() *costs {
	return &costs{first: pace.Cost{Guess: ofPicture}, send: pace.Cost{Guess: ofSending}, news: pace.Cost{Guess: ofWords}}
}

// publishing is what it takes the run to copy an event of so many bytes for the page: 16 GB/s, about half of what
// a copy does that has the memory for itself.
func publishing(bytes int) time.Duration { return time.Duration(bytes / 16) }

// scarce tells whether the processors are full, so that pictures come one by one.
func (p *Page) scarce() bool { return p.thrift.Supply != nil && p.thrift.Supply.Full() }

// How often the sums are added to where nobody looks at them.
const (
	sumsEvery  = seldom - seldom/20
	sumsSeldom = 5 * seldom
)

// summing tells whether an event is to be added to the sums.
func (f *feed) summing(now time.Time) bool {
	every := sumsEvery
	if f.page.scarce() {
		every = sumsSeldom
	}
	if f.sums.events == 0 || now.Sub(f.sums.last) >= every {
		return true
	}
	for s := range f.page.streams {
		if s.feed == f && s.kind != kindEvent && s.kind != kindNone {
			return true
		}
	}
	return false
}

// atOnce are the pictures that are made of one event, so that the run can go on in between; whoever wants another one gets it of the next
// event.
func (p *Page) atOnce() int {
	const some = 3
	if p.scarce() {
		return 1
	}
	return some
}
