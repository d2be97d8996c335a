package fex_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
)

func TestFineChild(t *testing.T) {
	r := startRig(t, rigOptions{workers: 2})
	r.begin()
	for _, tag := range r.burst(500) {
		r.wait(tag)
		if r.status(tag) != fex.OK {
			t.Fatalf("event %d: %v", tag, r.failure(tag))
		}
	}
	r.end()
	r.check()
	if n := r.restartCount(); n != 0 {
		t.Errorf("%d restarts: %v", n, r.restarts)
	}
	if r.group.Python != "3.fake" || r.group.NumPy != "0.fake" {
		t.Errorf("the group says Python %s, NumPy %s", r.group.Python, r.group.NumPy)
	}
}

// TestFaultyChild: whatever a child says or does not say, it is replaced, and every request gets exactly one answer:
// only what a child does wrong twice is given up.
func TestFaultyChild(t *testing.T) {
	tests := []struct {
		fake    string
		want    fex.Status // of the events it does wrong
		deaths  int        // of a child by each such event; a death in company counts for all
		message string
		slow    bool // only the deadline finds it
	}{
		{"garbage", fex.Crashed, 2, "does not match", false},
		{"slot", fex.Crashed, 2, "does not match", false},
		{"generation", fex.Crashed, 2, "does not match", false},
		{"kind", fex.Crashed, 2, "does not match", false},
		{"status", fex.Crashed, 2, "does not match", false},
		{"half record", fex.Crashed, 2, "ended (", false},
		{"closed pipe", fex.Crashed, 2, "ended (", false},
		{"exit", fex.Crashed, 2, "ended (exit status 0)", false},
		{"flood", fex.Crashed, 2, "does not match", false},
		{"silent", fex.Crashed, 2, "no answer in time", true},
		{"garbage once", fex.OK, 1, "", false},
		{"half record once", fex.OK, 1, "", false},
		{"exit once", fex.OK, 1, "", false},
		{"silent once", fex.OK, 1, "", true},
		{"unreadable failure", fex.Failed, 0, "the child's message is unreadable", false},
		{"huge failure", fex.Failed, 0, "the child's message does not fit", false},
	}
	for _, tt := range tests {
		t.Run(tt.fake, func(t *testing.T) {
			o := rigOptions{fake: tt.fake}
			events, faults := 25, 3
			if tt.slow {
				o.deadline, events, faults = testkit.Deadline(t, 500*time.Millisecond), 9, 1
			}
			r := startRig(t, o)
			r.begin()
			tags := r.burst(events)
			r.waitAll()
			r.end()
			r.check()
			for i, tag := range tags {
				want := fex.OK
				if faulty(uint64(i)) {
					want = tt.want
					if f := r.failure(tag); tt.message != "" && (f == nil || !strings.Contains(f.Message, tt.message)) {
						t.Errorf("event %d: %v, want %q", i, f, tt.message)
					}
				}
				if got := r.status(tag); got != want {
					t.Errorf("event %d ended with status %d, want %d", i, got, want)
				}
			}
			if got := r.restartCount(); got < tt.deaths || got > tt.deaths*faults {
				t.Errorf("%d restarts, want %d to %d: %q", got, tt.deaths, tt.deaths*faults, r.restarts)
			}
		})
	}
}

// TestDeafChild: one that reads nothing any more and lives on is replaced, also when it has answered all it was given.
func TestDeafChild(t *testing.T) {
	r := startRig(t, rigOptions{fake: "deaf"})
	r.begin()
	for range 2 {
		r.burst(4)
		r.waitAll()
	}
	r.end()
	r.check()
	if r.restartCount() == 0 {
		t.Error("a child that reads nothing was not replaced")
	}
}

// TestAnswerTooMany: the second answer to one event is taken for that to the next, and found out.
func TestAnswerTooMany(t *testing.T) {
	r := startRig(t, rigOptions{fake: "twice"})
	r.begin()
	r.burst(25)
	r.waitAll()
	r.end()
	r.check()
	if r.restartCount() == 0 {
		t.Error("a child that answers twice was not replaced")
	}
}

func TestChildThatDoesNotStart(t *testing.T) {
	tests := []struct {
		fake        string
		want        string
		environment bool
		deadline    time.Duration
	}{
		{"hello: version", "speaks protocol 99 and this program 2", false, 0},
		{"hello: no JSON", "speaks protocol 0 and this program 2", false, 0},
		{"hello: kind", "does not speak our protocol", false, 0},
		{"hello: endless", "does not speak our protocol", false, 0},
		{"hello: noise", "does not speak our protocol", false, 0},
		{"hello: half", "ended (exit status 0) without a word", false, 0},
		{"hello: silent", "gave no answer in time", false, 300 * time.Millisecond},
		{"hello: environment", "numpy is missing in fake", true, 0},
		{"hello: exit", "ended (exit status 1); its last words: something else is wrong", false, 0},
		{"hello: wordless", "ended (exit status 1) without a word", false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.fake, func(t *testing.T) {
			r, err := newRig(t, rigOptions{fake: tt.fake, workers: 2, deadline: tt.deadline})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if r.group != nil {
				t.Error("there is a group in spite of the error")
			}
			var env *fex.EnvironmentError
			if errors.As(err, &env) != tt.environment {
				t.Errorf("%v is an EnvironmentError: %v", err, !tt.environment)
			}
		})
	}
}

// TestWorkerGivesUp: when no replacement comes up, the worker says so and answers everything as crashed.
func TestWorkerGivesUp(t *testing.T) {
	r := startRig(t, rigOptions{fake: "exit"})
	r.begin()
	t.Setenv(fakeVariable, "replay failed") // from now on
	tags := r.burst(20)
	r.waitAll()
	more := r.burst(5)
	r.waitAll()
	r.end()
	r.check()
	r.mu.Lock()
	gaveUp := strings.Join(r.gaveUp, "; ")
	r.mu.Unlock()
	if !strings.Contains(gaveUp, "no child could be started 4 times in a row: fex: the script failed when transition 2 was replayed") {
		t.Errorf("gave up: %q", gaveUp)
	}
	for _, tag := range append(tags[4:], more...) {
		if r.status(tag) != fex.Unserved {
			t.Errorf("event %d ended with status %d", tag, r.status(tag))
		}
	}
}

// TestCloseWithWorkInHand: nobody waits for a child that does not listen.
func TestCloseWithWorkInHand(t *testing.T) {
	for _, fake := range []string{"silent", "closed pipe"} {
		t.Run(fake, func(t *testing.T) {
			r := startRig(t, rigOptions{fake: fake, workers: 2})
			r.begin()
			r.burst(60)
			began := time.Now()
			r.group.Close()
			r.group = nil
			if took := time.Since(began); took > testkit.Patience {
				t.Errorf("closing took %v", took)
			}
		})
	}
}

// TestKillAtOnce: an abandoned run waits for nothing, not even for a replacement that does not come up.
func TestKillAtOnce(t *testing.T) {
	for _, fake := range []string{"silent", "exit"} {
		t.Run(fake, func(t *testing.T) {
			testkit.AtOnce(t, 2*time.Second, func() time.Duration {
				r := startRig(t, rigOptions{fake: fake})
				r.begin()
				t.Setenv(fakeVariable, "hello: silent")
				r.burst(30)
				if fake == "exit" {
					r.wait(5) // the third after four transitions did it
					for r.restartCount() == 0 {
						r.mu.Lock()
						r.mu.Unlock() //nolint:staticcheck // only to let the worker go on
					}
				}
				began := time.Now()
				r.group.Kill()
				r.group.Close()
				r.group = nil
				return time.Since(began)
			})
		})
	}
}
