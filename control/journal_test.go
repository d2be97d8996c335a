package control_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"drp/control"
)

// TestAJournalThatWasCut at every byte gives a partition where the last whole order leads, and takes further ones.
func TestAJournalThatWasCut(t *testing.T) {
	journal := path(t)
	s := open(t, journal)
	s.worker("a", "")
	for range 2 {
		if err := s.Reach(control.Enabled, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Reach(control.Configured, 0); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	text, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	cut := path(t)
	for n := range len(text) + 1 {
		if err := os.WriteFile(cut, text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := control.Open(control.Config{Partition: "tst", Journal: cut})
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		whole := string(text[:strings.LastIndexByte(string(text[:n]), '\n')+1])
		st := p.Status()
		want := max(0, strings.Count(whole, "\n")-1)
		if lines := strings.Split(whole, "\n"); len(lines) > 1 && strings.Contains(lines[len(lines)-2], `"hold"`) {
			want++ // it is lifted
		}
		if st.Order != uint64(want) {
			t.Errorf("%d bytes: order %d, and not %d", n, st.Order, want)
		}
		if want := strings.Count(whole, "begin-run"); st.Run != want {
			t.Errorf("%d bytes: run %d, and not %d", n, st.Run, want)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsNoJournal is refused, and stays as it is.
func TestWhatIsNoJournal(t *testing.T) {
	const head = `{"format":"drp-control 1","partition":"tst","id":"x"}` + "\n"
	for name, test := range map[string]struct{ text, want string }{
		"another file":      {"dear diary\n", "no journal"},
		"one line":          {strings.Repeat("x", 10000), "no journal"},
		"a later format":    {strings.Replace(head, "control 1", "control 2", 1), "no journal"},
		"another partition": {strings.Replace(head, "tst", "xyz", 1), `of partition "xyz"`},
		"an order is gone":  {head + `{"number":2,"name":"configure","time":1}` + "\n", "line 2 is no order 1"},
		"nonsense in it":    {head + "}\n", "line 2 is no order 1"},
	} {
		t.Run(name, func(t *testing.T) {
			journal := path(t)
			if err := os.WriteFile(journal, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := control.Open(control.Config{Partition: "tst", Journal: journal})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
			if after, _ := os.ReadFile(journal); string(after) != test.text {
				t.Errorf("it is %q now", after)
			}
		})
	}
}

// TestAJournalThatCannotBeWritten: nothing is ordered that is not in it.
func TestAJournalThatCannotBeWritten(t *testing.T) {
	s := open(t, path(t))
	w := s.worker("a", "")
	if err := s.Close(); err != nil { // the file, as it is with a disk that is gone
		t.Fatal(err)
	}
	if err := s.Do("configure", 0); err == nil || !strings.Contains(err.Error(), "control: journal: ") {
		t.Errorf("%v", err)
	}
	if st := s.Status(); st.State != control.Unconfigured || st.Processes[0].Behind != 0 || len(w.orders()) != 0 {
		t.Errorf("%+v, %v", st, w.orders())
	}
}

// TestAJournalOfOneThatEnds: who was killed may hold on to it for a moment yet.
func TestAJournalOfOneThatEnds(t *testing.T) {
	journal := path(t)
	first := open(t, journal)
	opened := make(chan error)
	go func() {
		p, err := control.Open(control.Config{Partition: "tst", Journal: journal})
		if err == nil {
			err = p.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("two had it: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	first.close()
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestTheEndOfTime: after the last second that a datagram can have, times do not begin again.
func TestTheEndOfTime(t *testing.T) {
	journal := path(t)
	text := `{"format":"drp-control 1","partition":"tst","id":"x"}` + "\n" + `{"number":1,"name":"configure","time":18446744073709551615}` + "\n"
	if err := os.WriteFile(journal, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, journal)
	if err := s.Do("unconfigure", 0); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(journal); err != nil || !strings.Contains(string(after), `"unconfigure","time":18446744069414584320`) {
		t.Errorf("%s, %v", after, err)
	}
}
