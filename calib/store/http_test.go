package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/store"
	"drp/internal/testkit"
)

func TestToken(t *testing.T) {
	for name, test := range map[string]struct{ server, client, want string }{
		"the wrong one":    {"secret", "Secret", "is not that of this store"},
		"none":             {"secret", "", "needs its token"},
		"reading only":     {"", "secret", "reading only"},
		"no token on both": {"", "", "reading only"},
	} {
		t.Run(name, func(t *testing.T) {
			st := create(t, t.TempDir())
			server := httptest.NewServer(store.Handler(st, test.server))
			defer server.Close()
			r := dial(t, server.URL, test.client)
			if _, err := r.Put(context.Background(), makeSet("1")); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if all, err := r.List(context.Background(), ""); err != nil || len(all) != 0 {
				t.Errorf("%v, %v", all, err)
			}
		})
	}
}

// between answers in the place of a store, with what it answered spoilt.
func between(t *testing.T, spoil func([]byte) []byte) *store.Remote {
	st := create(t, t.TempDir())
	put(t, st, makeSet("1"))
	h := store.Handler(st, "")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
		w.WriteHeader(rec.Code)
		_, _ = w.Write(spoil(rec.Body.Bytes()))
	}))
	t.Cleanup(server.Close)
	return dial(t, server.URL, "")
}

func TestHostileServer(t *testing.T) {
	edit := func(old, now string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Errorf("%q is not in the answer", old)
			}
			return bytes.Replace(b, []byte(old), []byte(now), 1)
		}
	}
	for name, test := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"nothing spoilt":      {func(b []byte) []byte { return b }, ""},
		"cut in the middle":   {func(b []byte) []byte { return b[:len(b)/2] }, "ask the store"},
		"without its end":     {func(b []byte) []byte { return b[:len(b)-70] }, "refused"},
		"a bit in an array":   {func(b []byte) []byte { b[len(b)-100] ^= 1; return b }, "altered"},
		"another run":         {edit(`"first_run":1`, `"first_run":2`), "not what was put"},
		"a giant array":       {edit(`"bytes":`, `"bytes":9999999999999`), "a size of"},
		"an array of nothing": {edit(`"name":"rms"`, `"name":"rmt"`), `the array "rmt"`},
		"a later format":      {edit(`"format":1`, `"format":2`), "format 2"},
		"a giant document": {func(b []byte) []byte {
			return bytes.Replace(b, []byte(`{"format"`), append(bytes.Repeat([]byte{' '}, 5<<20), `{"format"`...), 1)
		}, "bytes, and"},
		"no multipart at all": {func([]byte) []byte { return []byte("<html>hello</html>") }, "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := between(t, test.spoil).Get(context.Background(), calib.Query{Detector: "cam", Run: 1})
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if s != nil || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

func TestStrangers(t *testing.T) {
	testkit.NoLeaks(t)
	for name, answer := range map[string]http.HandlerFunc{
		"a web site":   func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"an error":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "teapot", http.StatusTeapot) },
		"elsewhere":    func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"a hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		server := httptest.NewServer(answer)
		r := dial(t, server.URL, "secret")
		_, get := r.Get(context.Background(), calib.Query{Detector: "cam", Run: 1})
		_, list := r.List(context.Background(), "cam")
		_, put := r.Put(context.Background(), makeSet("1"))
		for _, err := range []error{get, list, put} {
			if err == nil || !strings.Contains(err.Error(), server.URL) {
				t.Errorf("%s: %v", name, err)
			}
		}
		server.Close()
	}
	for _, address := range []string{"", "node:8765", "ftp://node", "http://", "http://node?x=1"} {
		if _, err := store.Dial(address, ""); err == nil {
			t.Errorf("%q is an address", address)
		}
	}
}

// TestHostileClient sends what is no set; the store that is there stays as it is, and goes on.
func TestHostileClient(t *testing.T) {
	st := create(t, t.TempDir())
	server := httptest.NewServer(store.Handler(st, "secret"))
	defer server.Close()
	form := func(fill func(*multipart.Writer)) (string, io.Reader) {
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		fill(m)
		m.Close()
		return m.FormDataContentType(), &b
	}
	document := func(text string) func(*multipart.Writer) {
		return func(m *multipart.Writer) { _ = m.WriteField("document", text) }
	}
	for name, test := range map[string]struct {
		fill func(*multipart.Writer)
		want string
	}{
		"nothing":           {func(*multipart.Writer) {}, "document is missing"},
		"an array first":    {func(m *multipart.Writer) { _ = m.WriteField("gains", "x") }, "document should come next"},
		"no JSON":           {document("{"), "no JSON"},
		"no arrays":         {document(`{"format":1,"detector":"cam","type":"x","serials":["1"],"rows":2,"cols":2,"unit":"keV"}`), "pedestals has 0"},
		"an array not sent": {document(`{"format":1,"arrays":[{"name":"gains","sha256":"` + strings.Repeat("a", 64) + `","bytes":1}]}`), "gains is missing"},
		"no digest":         {document(`{"format":1,"arrays":[{"name":"gains","sha256":"..","bytes":1}]}`), "SHA-256"},
		"rows beyond all":   {document(`{"format":1,"detector":"cam","type":"x","serials":["1"],"rows":9000000000000,"cols":9000000000000,"unit":"keV"}`), "segments of"},
		"an array that is none": {func(m *multipart.Writer) {
			document(`{"format":1,"arrays":[{"name":"gains","sha256":"` + strings.Repeat("a", 64) + `","bytes":5}]}`)(m)
			_ = m.WriteField("gains", "12345")
		}, "no NPY file"},
	} {
		kind, body := form(test.fill)
		req, _ := http.NewRequest(http.MethodPost, server.URL+"/v1/sets", body)
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Authorization", "Bearer secret")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(text), test.want) {
			t.Errorf("%s: %s %s, want %q", name, resp.Status, text, test.want)
		}
	}
	for _, path := range []string{"/v1/constants", "/v1/constants?run=x&detector=cam", "/v1/constants?run=1"} {
		resp, err := http.Get(server.URL + path)
		if err != nil || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
		resp.Body.Close()
	}
	if all, err := st.List(context.Background(), ""); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestDamagedThroughHTTP has the reason of the store that was asked.
func TestDamagedThroughHTTP(t *testing.T) {
	dir := t.TempDir()
	st := create(t, dir)
	put(t, st, makeSet("1"))
	server := httptest.NewServer(store.Handler(st, ""))
	defer server.Close()
	spoil(t, arrays(t, dir)[0])
	q := calib.Query{Detector: "cam", Run: 1}
	_, here := st.Get(context.Background(), q)
	_, there := dial(t, server.URL, "").Get(context.Background(), q)
	var refused *calib.RefusedError
	if !errors.As(there, &refused) || there.Error() != here.Error() {
		t.Errorf("%v, and there %v", here, there)
	}
}
