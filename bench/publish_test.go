package bench

import (
	"context"
	"testing"
)

// TestPublish: all workers come to hold what is published, in a small measurement. How fast is not judged here.
func TestPublish(t *testing.T) {
	r := &Report{}
	small := CalibOptions{Rounds: 1, Bytes: 1 << 20, Workers: 5}
	if err := publishing(context.Background(), r, small); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"publish_1", "publish_5", "copy"} {
		if f := r.find(name); len(f.Runs) != 2 || !(f.Value > 0) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if len(r.Bars) != 2 {
		t.Errorf("%v", r.Bars)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := publishing(ended, &Report{}, small); err == nil {
		t.Error("a measurement that was ended gives figures")
	}
}
