package settings_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"drp/internal/settings"
)

// TestRestore: what was set before holds at once under its generation, what nobody has declared is left out, and with what cannot be
// taken it is another generation.
func TestRestore(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values map[string]string
		want   string // values and generation
		says   string
	}{
		{"nothing", nil, "[50 3 sum false ] 7", ""},
		{"all", map[string]string{"threshold": "60.25", "rows": "9223372036854775807", "dark": "true", "mode": "max", "title": "a b", "gone": "1"},
			"[60.25 9223372036854775807 max true a b] 7", ""},
		{"what is not allowed any more", map[string]string{"threshold": "-1", "rows": "4"}, "[50 4 sum false ] 8",
			"threshold: -1 is less than 0, the least that the script allows; it is 50"},
		{"what does not go together", map[string]string{"threshold": "66", "rows": "66"}, "[50 3 sum false ] 8", "66 rows are too many; all stays"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &settings.Book{Check: func(_ string, values []any) error {
				if values[1] == int64(66) {
					return errors.New("66 rows are too many")
				}
				return nil
			}}
			if _, err := b.Declare(parameters(t), nil, time.Now()); err != nil {
				t.Fatal(err)
			}
			c, err := b.Restore(7, tt.values, nil, "the former", time.Now())
			if (err == nil) != (tt.says == "") || err != nil && err.Error() != tt.says || c == nil {
				t.Errorf("%v, %v", c, err)
			}
			generation, values := b.Values("script")
			if got := fmt.Sprint(values, " ", generation); got != tt.want || b.Pending() {
				t.Errorf("%s, not %s", got, tt.want)
			}
			again, words, set, own := b.Words()
			if again != generation || len(words) != len(values) || len(set) != max(0, len(c.Changes)) || len(own) > 0 {
				t.Errorf("it tells of %v, %v, %v, %v", again, words, set, own)
			}
		})
	}
}

// TestRestoreComesLate: what somebody has set by then stays.
func TestRestoreComesLate(t *testing.T) {
	b := book(t)
	if _, _, set, _ := b.Words(); len(set) > 0 {
		t.Error(set)
	}
	if _, err := b.Set(map[string]any{"rows": 5}, "me"); err != nil {
		t.Fatal(err)
	}
	if generation, words, set, _ := b.Words(); generation != 2 || words["rows"] != "5" || fmt.Sprint(set) != "[rows]" {
		t.Error(generation, words, set)
	}
	if _, err := b.Restore(4, map[string]string{"rows": "7", "threshold": "60"}, nil, "the former", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.Turn(time.Now())
	if generation, values := b.Values("script"); generation != 5 || fmt.Sprint(values[:2]) != "[60 5]" {
		t.Error(generation, values)
	}
}

// TestForWhomItIsSet is known of each parameter, whichever way was the last; also of the next life, and when they are declared anew.
func TestForWhomItIsSet(t *testing.T) {
	b := book(t)
	own := func(want string) {
		t.Helper()
		generation, words, set, own := b.Words()
		if fmt.Sprint(set, own) != want {
			t.Errorf("%v of %v and %v, and not %s", own, set, words, want)
		}
		for _, s := range b.List().Settings {
			if s.Own != slices.Contains(own, s.Name) {
				t.Errorf("%d: it lists %+v", generation, s)
			}
		}
	}
	set := func(set func(map[string]any, string) (int64, error), values map[string]any) {
		t.Helper()
		if _, err := set(values, "me"); err != nil {
			t.Fatal(err)
		}
	}
	own("[] []")
	set(b.Set, map[string]any{"rows": 5, "threshold": 60})
	own("[threshold rows] [threshold rows]")
	set(b.SetForAll, map[string]any{"rows": 5})
	own("[threshold rows] [threshold]")
	if _, err := b.SetForAll(map[string]any{"rows": -1}, "me"); err == nil {
		t.Error("it is allowed")
	}
	set(b.Set, map[string]any{"rows": 5})
	set(b.SetForAll, map[string]any{"threshold": 70})
	own("[threshold rows] [rows]")
	if _, err := b.Declare(parameters(t), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	own("[threshold rows] [rows]")
	b = book(t)
	if _, err := b.Restore(4, map[string]string{"rows": "7", "threshold": "60"}, []string{"rows", "gone"}, "the former", time.Now()); err != nil {
		t.Fatal(err)
	}
	own("[threshold rows] [rows]")
}
