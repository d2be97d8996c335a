package record_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"drp/record"
)

// FuzzReport reads reports of any bytes; what was read and written again is equal.
func FuzzReport(f *testing.F) {
	path, err := quarantined().Store(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	stored := strings.TrimSuffix(path, ".xtc2") + ".json"
	text, err := os.ReadFile(stored)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte(`{"version":1,"attempts":[null]}`))
	f.Add([]byte(`{"version":1e0}`))
	file := filepath.Join(f.TempDir(), "fuzz.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Skip(err)
		}
		r, err := record.ReadReport(file)
		if err != nil {
			if !strings.Contains(err.Error(), "record: report: ") || r != nil {
				t.Errorf("%v, %v", r, err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, again, 0o600); err != nil {
			t.Skip(err)
		}
		back, err := record.ReadReport(file)
		if err != nil {
			t.Fatal(err)
		}
		once, twice := *r, *back
		for i := range once.Attempts { // a time zone that is nobody's is another one when it comes back
			once.Attempts[i].When, twice.Attempts[i].When = once.Attempts[i].When.UTC(), twice.Attempts[i].When.UTC()
		}
		if !reflect.DeepEqual(once, twice) {
			t.Errorf("%+v became %+v", once, twice)
		}
	})
}
