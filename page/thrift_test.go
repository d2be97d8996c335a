package page

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// TestThrift: whatever is asked for, a tenth of the time is used, but for what a rest makes up for; who has gone is not waited for.
func TestThrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s thrift
		for i, want := range []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond} {
			if s.charge(30 * time.Millisecond); s.after() != want {
				t.Errorf("%d: nothing for %v, want %v", i, s.after(), want)
			}
		}
		time.Sleep(time.Hour)
		if s.charge(30 * time.Millisecond); s.after() != 0 {
			t.Errorf("after an hour, nothing for %v", s.after())
		}
		began, r := time.Now(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for range 100 {
			if !s.wait(r) {
				t.Fatal("not its turn")
			}
			s.charge(10*time.Millisecond - thriftGuess)
		}
		if took := time.Since(began); took != 9900*time.Millisecond {
			t.Errorf("100 requests of 10 ms took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s.wait(r.WithContext(ctx)) {
			t.Error("who has gone had his turn")
		}
		if (*thrift)(nil).after() != 0 || !(*thrift)(nil).wait(r) {
			t.Error("a replay waits")
		}
	})
}
