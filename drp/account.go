package drp

import (
	"drp/xtc"
)

// account puts the books of each run into its file, at EndRun. What is written there is the same for equal data, script
// and outcomes, whoever did the work and how often he died of it: so restarts and late answers are left to the summary.
type account struct {
	names  *xtc.Names // in the Configure that holds; nil when nothing is declared
	before Summary    // the books at the end of the run before
}

// booksIndex is the NamesId of the books in the node of the Configure, unless it is taken: the last that is not fixed by
// the DRP, far from those that are given out from 0 on.
const booksIndex = 251

// The Names of the books.
const (
	booksDetector = "drp"
	booksAlg      = "books"
)

// rows of the books, in the order of the fields.
var rows = []struct {
	name  string
	count func(s *Summary) int64
}{
	{"received", func(s *Summary) int64 { return s.Received }},
	{"recorded", func(s *Summary) int64 { return s.Recorded }},
	{"rejected", func(s *Summary) int64 { return s.Rejected }},
	{"vetoed", func(s *Summary) int64 { return s.Vetoed }},
	{"quarantined", func(s *Summary) int64 { return s.Quarantined }},
	{"dropped", func(s *Summary) int64 { return s.Dropped }},
	{"failed", func(s *Summary) int64 { return s.Failed }},
	{"in_flight", func(s *Summary) int64 { return s.InFlight }},
	{"damaged", func(s *Summary) int64 { return s.Damaged }},
}

// declare appends the Names of the books to what a script declares, and adds them to the table of everything. A script
// that declares nothing leaves the Configure as it came, so that a copy stays a copy. The books of a run that was recorded
// by drp before stay: ours are the next segment.
func (a *account) declare(table *xtc.Table, node, segment uint32, declared []byte) ([]byte, error) {
	a.names = nil
	if it := xtc.NewIter(declared); !it.Next() || it.Header().Type != xtc.TypeNames {
		return declared, nil
	}
	n := &xtc.Names{ID: xtc.NewNamesID(node, booksIndex), DetName: booksDetector, DetType: booksDetector, Alg: booksAlg,
		Version: xtc.Version{Major: 1}, Segment: segment}
	if table.Lookup(n.ID) != nil {
		var err error
		if n.ID, err = table.FreeID(node); err != nil {
			return declared, err
		}
	}
	for _, r := range rows {
		n.Entries = append(n.Entries, xtc.Name{Name: r.name, Type: xtc.Int64})
	}
	with, err := n.AppendTo(declared)
	if err == nil {
		err = table.Add(n)
	}
	if err != nil {
		return declared, err
	}
	a.names = n
	return with, nil
}

// close appends the books of the run that ends to what the script adds. s is the books up to here, of all runs.
func (a *account) close(s Summary, added []byte) ([]byte, error) {
	before := a.before
	a.before = s
	if a.names == nil {
		return added, nil
	}
	var b xtc.Builder
	b.Begin(added, a.names)
	for _, r := range rows {
		b.Int(r.count(&s) - r.count(&before))
	}
	return b.End()
}

// closeBooks gives what is added to an EndRun: the script's words and the books. All events before it are written first,
// since only then is it known what became of them; those that the source has sent since are not of this run.
func (c *collector) closeBooks(of *detail, added []byte) []byte {
	c.enter()
	s := c.books.Snapshot()
	s.InFlight -= s.Received - of.received + of.dropped - s.Dropped
	s.Received, s.Dropped = of.received, of.dropped
	with, err := c.account.close(s, added)
	if err != nil { // the names are our own
		panic(err)
	}
	return with
}
