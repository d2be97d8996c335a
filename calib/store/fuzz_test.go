package store_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/store"
)

func spoil(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
}

// FuzzDocument: what is accepted is the same after a way through JSON.
func FuzzDocument(f *testing.F) {
	s := makeSet("1", "3")
	if err := s.Check(); err != nil {
		f.Fatal(err)
	}
	d := store.DocumentOf(s)
	d.Arrays = []store.Array{{Name: "gains", SHA256: strings.Repeat("0a", 32), Bytes: 5}}
	text, _ := json.Marshal(d)
	f.Add(text)
	f.Add([]byte(`{"format":1,"arrays":[{"name":"gains"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := store.ParseDocument(text)
		if err != nil {
			return
		}
		_ = d.Set().Check() // has no arrays, but must not panic
		id, err := d.ID()
		if err != nil {
			return // a year that JSON cannot have
		}
		again, _ := json.Marshal(d)
		d2, err := store.ParseDocument(again)
		if err != nil {
			t.Fatal(err)
		}
		if id2, _ := d2.ID(); id2 != id {
			t.Errorf("%s became %s", text, again)
		}
	})
}

// FuzzPut sends anything as a set.
func FuzzPut(f *testing.F) {
	st := create(f, f.TempDir())
	put(f, st, makeSet("1"))
	h := store.Handler(st, "secret")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v1/constants?detector=cam&run=1", nil))
	_, boundary, _ := strings.Cut(rec.Header().Get("Content-Type"), "boundary=")
	f.Add(bytes.ReplaceAll(rec.Body.Bytes(), []byte(boundary), []byte("B")))
	f.Fuzz(func(t *testing.T, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/v1/sets", bytes.NewReader(body))
		req.Header.Set("Content-Type", "multipart/form-data; boundary=B")
		req.Header.Set("Authorization", "Bearer secret")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		switch rec.Code {
		case 201, 422, 500:
		default:
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}

// FuzzSerials asks for anything: either a set has it all, or there is none.
func FuzzSerials(f *testing.F) {
	st := create(f, f.TempDir())
	put(f, st, makeSet("1", "3", "5"))
	h := store.Handler(st, "")
	f.Add("cam", "1.3")
	f.Add("cam", "1..3")
	f.Add("cam' OR 1 --", "1.1")
	f.Fuzz(func(t *testing.T, detector, serials string) {
		s, err := st.Get(context.Background(), calib.Query{Detector: detector, Run: 1, Serials: strings.Split(serials, ".")})
		if err == nil && (detector != "cam" || calib.Serial(s.Serials) != serials) {
			t.Errorf("%q of %q gives %v", serials, detector, s.Serials)
		}
		req := httptest.NewRequest(http.MethodGet, "/v1/constants", nil)
		q := req.URL.Query()
		q.Set("detector", detector)
		q.Set("serials", serials)
		q.Set("run", "1")
		req.URL.RawQuery = q.Encode()
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != 200 && rec.Code != 404 && rec.Code != 400 && rec.Code != 422 {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
