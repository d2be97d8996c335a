package page

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query reads what is asked for. What makes no sense is refused with a sentence.
type query struct {
	values url.Values
	known  []string
	wrong  string
}

func (q *query) text(name string) (string, bool) {
	q.known = append(q.known, name)
	given := q.values[name]
	if len(given) > 1 {
		q.fail("%s is given %d times", name, len(given))
	}
	if len(given) == 0 {
		return "", false
	}
	return given[0], true
}

func (q *query) fail(format string, args ...any) {
	if q.wrong == "" {
		q.wrong = fmt.Sprintf(format, args...)
	}
}

// word is one of several.
func (q *query) word(name, usual string, all ...string) string {
	text, given := q.text(name)
	if !given {
		return usual
	}
	if !slices.Contains(all, text) {
		q.fail("%s is %.20q: give %s", name, text, strings.Join(all, ", "))
	}
	return text
}

func (q *query) bin() int {
	n, _ := strconv.Atoi(q.word("bin", "1", "1", "2", "4", "8"))
	return n
}

// real is a number between bounds.
func (q *query) real(name string, usual, least, most float64) float64 {
	text, given := q.text(name)
	if !given {
		return usual
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= least && v <= most) {
		q.fail("%s is %.20q: give a number from %g to %g", name, text, least, most)
		return usual
	}
	return v
}

// whole is a number that must be given.
func (q *query) whole(name string, most int64) int64 {
	text, _ := q.text(name)
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > most {
		q.fail("%s is %.20q: give a whole number from 0 to %d", name, text, most)
	}
	return v
}

// refused answers when anything makes no sense.
func (q *query) refused(w http.ResponseWriter) bool {
	for name := range q.values {
		if !slices.Contains(q.known, name) && name != "token" {
			q.fail("%.20q is nothing that can be asked for here: there are %s", name, strings.Join(q.known, ", "))
		}
	}
	if q.wrong == "" {
		return false
	}
	http.Error(w, q.wrong, http.StatusBadRequest)
	return true
}

// listed is its row, for others.
func (e *event) listed() row {
	r := e.row
	r.Flags = append([]string{}, e.Flags...)
	return r
}

// goneText says why an event is not there.
func goneText(number int64) string {
	return fmt.Sprintf("event %d is not kept: those that were looked at last are, and not all are looked at", number)
}

// serveEvent gives the picture of an event that is kept.
func (p *Page) serveEvent(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	number, bin := q.whole("number", math.MaxInt64), q.bin()
	if q.refused(w) {
		return
	}
	p.mu.Lock()
	e := p.kept.find(number)
	why := goneText(number)
	if e != nil && e.scene == nil {
		why = fmt.Sprintf("event %d has no picture", number)
	}
	if e == nil || e.scene == nil {
		p.mu.Unlock()
		http.Error(w, why, http.StatusNotFound)
		return
	}
	pic := p.blank()
	pic.holders++
	p.painter.draw(pic, e, bin)
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(pic.head)+len(pic.pixels)))
	_, _ = w.Write(pic.head)
	_, _ = w.Write(pic.pixels)
	p.mu.Lock()
	p.release(pic)
	p.mu.Unlock()
}

// serveEvents gives the rows of all events that are kept.
func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	if q.refused(w) {
		return
	}
	p.mu.Lock()
	rows := make([]row, 0, len(p.kept.all))
	for _, e := range p.kept.all {
		rows = append(rows, e.listed())
	}
	p.mu.Unlock()
	reply(w, map[string]any{"events": rows})
}

// pixelAnswer is what a pixel has.
type pixelAnswer struct {
	Value   *float64 `json:"value"` // null where there is none
	Raw     *uint16  `json:"raw"`   // null where there is none
	Segment *int     `json:"segment"`
	Row     *int     `json:"row"` // in the segment
	Col     *int     `json:"col"`
	Masked  bool     `json:"masked"`
}

// servePixel gives the values of one place of a picture.
func (p *Page) servePixel(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	number, row, col := q.whole("number", math.MaxInt64), int(q.whole("row", math.MaxInt32)), int(q.whole("col", math.MaxInt32))
	if q.refused(w) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.kept.find(number)
	switch {
	case e == nil || e.scene == nil:
		http.Error(w, goneText(number), http.StatusNotFound)
		return
	case row >= e.scene.high || col >= e.scene.wide:
		http.Error(w, fmt.Sprintf("row %d, col %d is outside of the picture, which has %d x %d", row, col, e.scene.high, e.scene.wide),
			http.StatusBadRequest)
		return
	}
	reply(w, p.painter.pixel(e, row, col))
}

// pixel looks a place up.
func (g *painter) pixel(e *event, row, col int) (a pixelAnswer) {
	s := e.scene
	at := int(s.place[row*s.wide+col])
	if at < 0 {
		return a
	}
	n := s.rows * s.cols
	segment, inside := at/n, at%n
	y, x := inside/s.cols, inside%s.cols
	a.Segment, a.Row, a.Col = &segment, &y, &x
	a.Masked = s.good != nil && s.good[at] == 0
	if len(e.raw) > 0 && !(e.lacking != nil && e.lacking[segment]) {
		raw := e.raw[at]
		a.Raw = &raw
	}
	if v := g.value(e, at); !math.IsNaN(v) && !math.IsInf(v, 0) {
		a.Value = &v
	}
	return a
}

// serveMask gives the mask of the latest picture.
func (p *Page) serveMask(w http.ResponseWriter, r *http.Request) {
	q := query{values: r.URL.Query()}
	bin := q.bin()
	if q.refused(w) {
		return
	}
	p.mu.Lock()
	e := p.kept.latest(false)
	p.mu.Unlock()
	if e == nil {
		http.Error(w, "there is no picture yet", http.StatusNotFound)
		return
	}
	s := e.scene
	m := s.plan(bin)
	head, err := json.Marshal(map[string]any{"rows": m.high, "cols": m.wide, "bin": bin, "full": [2]int{s.high, s.wide}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(head))))
	_, _ = w.Write(head)
	_, _ = w.Write(m.mask)
}

func reply(w http.ResponseWriter, what any) {
	text, err := json.Marshal(what)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n'))
}
