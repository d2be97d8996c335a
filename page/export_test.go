package page

import (
	"time"

	"drp/internal/pace"
)

// Memory is what the kept events and the pictures take.
func (p *Page) Memory() (events, bytes, spares int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.kept.all {
		bytes += e.bytes()
	}
	return len(p.kept.all), bytes, len(p.spares)
}

// Streams is how many browsers read.
func (p *Page) Streams() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.streams)
}

// Feeds tells whether there is a feed of hits.
func (p *Page) Feeds() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hits != nil
}

// Exhaust uses up what may be made for browsers in a day.
func (p *Page) Exhaust() {
	for _, b := range []*pace.Budget{p.thrift.Pictures, p.thrift.Answers, p.thrift.Words} {
		b.Charge(3 * time.Hour)
	}
}

// Offered is how many events were shown to who watches.
func (p *Player) Offered() int64 {
	b := p.monitor.Books()
	return b.Published + b.Held
}
