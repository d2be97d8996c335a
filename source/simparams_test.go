package source_test

import (
	"strings"
	"testing"

	"drp/source"
)

func TestParseSim(t *testing.T) {
	with := func(change func(*source.SimParams)) source.SimParams {
		p := source.DefaultSim()
		change(&p)
		return p
	}
	for _, test := range []struct {
		name, text string
		want       source.SimParams
	}{
		{"nothing", "", source.DefaultSim()},
		{"only commas", ",,", source.DefaultSim()},
		{"one", "segments=4", with(func(p *source.SimParams) { p.Segments = 4 })},
		{"as in an address", "?rows=2&cols=3", with(func(p *source.SimParams) { p.Rows, p.Cols = 2, 3 })},
		{"exponents", "events=1e6,hz=1.2e2", with(func(p *source.SimParams) { p.Events, p.Hertz = 1e6, 120 })},
		{"a fraction", "hits=0.25,noise=2.5", with(func(p *source.SimParams) { p.Hits, p.Noise = 0.25, 2.5 })},
		{"a name", "name=epix_100", with(func(p *source.SimParams) { p.Name = "epix_100" })},
		{"a large seed", "seed=9007199254740992", with(func(p *source.SimParams) { p.Seed = 1 << 53 })},
		{"the rest", "steps=2,runs=3,configs=4,peaks=5,switched=0.5,slow=6,bank=7,rings=8,bad=0.25", with(func(p *source.SimParams) {
			p.Steps, p.Runs, p.Configs, p.Peaks, p.Switched, p.Slow, p.Bank = 2, 3, 4, 5, 0.5, 6, 7
			p.Rings, p.Bad = 8, 0.25
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := source.ParseSim(test.text)
			if err != nil || got != test.want {
				t.Errorf("%+v, want %+v: %v", got, test.want, err)
			}
		})
	}
}

func TestParseSimRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no value", "segments", `"segments" is not key=value`},
		{"unknown", "pixels=4", `there is no parameter "pixels"; there are name, bad, bank, cols,`},
		{"in capitals", "Rows=4", `there is no parameter "Rows"`},
		{"a word", "rows=many", "rows=many: give a whole number from 1 to 8192"},
		{"empty", "rows=", "rows=: give a whole number"},
		{"too small", "rows=0", "give a whole number from 1 to 8192"},
		{"too large", "segments=17", "give a whole number from 1 to 16"},
		{"negative", "events=-1", "give a whole number from 0"},
		{"fraction of a whole", "cols=2.5", "give a whole number"},
		{"no number", "hits=nan", "hits=nan: give a number from 0 to 1"},
		{"infinite", "hz=inf", "hz=inf: give a number"},
		{"a fraction above one", "hits=1.01", "give a number from 0 to 1"},
		{"twice", "rows=2,cols=3,rows=2", "rows is given twice"},
		{"a name twice", "name=a,name=a", "name is given twice"},
		{"no name", "name=", "a detector name has letters, digits and _"},
		{"a name with a dash", "name=epix-hr", "a detector name has letters, digits and _"},
		{"a name as long as a novel", "name=" + strings.Repeat("x", 65), "a detector name has"},
		{"a name that is taken", "name=epics", "other data of that name"},
		{"huge frames", "segments=16,rows=8192,cols=8192", "1 GiB at most"},
		{"huge frames, many of them", "segments=8,rows=8192,cols=8192,bank=17", "give a lower bank"},
		{"more events than can be counted", "events=1e15,steps=2", "1e+15 events at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := source.ParseSim(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "source: sim:") {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
