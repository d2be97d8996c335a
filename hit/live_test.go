package hit_test

import (
	"testing"

	"drp/hit"
)

// TestLive: each of them is a number, and a plan that was changed finds what a new one finds.
func TestLive(t *testing.T) {
	for _, finder := range hit.Finders {
		c := hit.Default()
		c.Finder = finder
		all := c.Live()
		if len(all) < 3 {
			t.Errorf("%s: %d parameters", finder, len(all))
		}
		for i := range all {
			p := &all[i]
			switch v := p.Number().(type) {
			case int64:
				p.SetNumber(v + 1)
			case float64:
				p.SetNumber(v + 1)
			}
			if p.Number() == nil || c.Set(p.Name, "1") != nil {
				t.Errorf("%s is %v", p.Name, p.Number())
			}
		}
	}
}
