package page

import (
	"context"
	"net/http"
	"time"

	"drp/watch"
)

// mostHistory is an hour of samples, one each second.
const mostHistory = 3600

// history is what a run did in each second of the last hour.
type history struct {
	before  watch.Status
	samples []sample
}

type sample struct {
	t, rate, hitRate, recorded float64
	busy                       []float32 // of each worker
}

// mostBusy is how many workers are drawn.
const mostBusy = 256

// add takes a status into account. One that is no later than the one before, or of another process, begins anew.
func (h *history) add(s *watch.Status) {
	b := h.before
	h.before = *s
	dt := s.Seconds - b.Seconds
	if b.PID != s.PID || dt < 0 {
		h.samples = nil
		return
	}
	if b.Time.IsZero() || dt < seldom.Seconds()/4 {
		if dt > 0 {
			h.before = b // it is too soon to tell
		}
		return
	}
	e, was := &s.Events, &b.Events
	one := sample{t: float64(s.Time.UnixMilli()) / 1e3, rate: float64(e.Received-was.Received) / dt,
		recorded: float64(e.Recorded-was.Recorded) / dt}
	if searched := s.Hits.Searched - b.Hits.Searched; searched > 0 {
		one.hitRate = float64(s.Hits.Hits-b.Hits.Hits) / float64(searched)
	}
	for i := range s.Workers[:min(len(s.Workers), mostBusy)] {
		busy := 0.
		if i < len(b.Workers) {
			busy = min(max((s.Workers[i].Busy-b.Workers[i].Busy)/dt, 0), 1)
		}
		one.busy = append(one.busy, float32(busy))
	}
	if len(h.samples) >= mostHistory {
		h.samples = append(h.samples[:0], h.samples[1:]...)
	}
	h.samples = append(h.samples, one)
}

// sample notes each second what the run does.
func (p *Page) sample(ctx context.Context) {
	tick := time.NewTicker(seldom)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		p.rest()
		s := p.present()
		p.mu.Lock()
		p.history.add(&s)
		p.mu.Unlock()
	}
}

// serveHistory gives the samples of the last seconds.
func (p *Page) serveHistory(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	n := int(q.real("seconds", 600, 1, mostHistory))
	if q.refused(w) {
		return
	}
	p.mu.Lock()
	all := p.history.samples[max(0, len(p.history.samples)-n):]
	workers := 0
	for i := range all {
		workers = max(workers, len(all[i].busy))
	}
	columns := make([][]float64, 4)
	busy := make([][]float32, workers)
	for i := range all {
		for k, v := range [...]float64{all[i].t, all[i].rate, all[i].hitRate, all[i].recorded} {
			columns[k] = append(columns[k], v)
		}
		for k := range busy {
			v := float32(0)
			if k < len(all[i].busy) {
				v = all[i].busy[k]
			}
			busy[k] = append(busy[k], v)
		}
	}
	p.mu.Unlock()
	for k := range columns {
		columns[k] = append([]float64{}, columns[k]...)
	}
	reply(w, map[string]any{"t": columns[0], "rate": columns[1], "hit_rate": columns[2], "recorded": columns[3], "busy": busy})
}
