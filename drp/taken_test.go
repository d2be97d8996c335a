package drp_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
)

// TestContributorIsThereAlready: a run under the name of another process ends, and says so.
func TestContributorIsThereAlready(t *testing.T) {
	testkit.NoLeaks(t)
	s, err := teb.NewSchema("c_1", teb.Field{Name: "n", Type: teb.F64})
	if err != nil {
		t.Fatal(err)
	}
	b, err := teb.New(teb.Config{Contributors: []teb.Member{{Schema: s}}, Logic: []teb.Logic{
		teb.NewExpression([]teb.Rule{{Name: "all", When: "true"}})}})
	if err != nil {
		t.Fatal(err)
	}
	server := serve.NewServer(b, serve.Options{})
	defer server.Close()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := wire.Endpoint{Path: filepath.Join(dir, "teb")}
	if _, err := server.Listen(at); err != nil {
		t.Fatal(err)
	}
	first, err := serve.Dial(t.Context(), at, s, 1, serve.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	cfg := triggered(t, bundled("passthrough.py"))
	cfg.Trigger = &drp.Trigger{Servers: []wire.Endpoint{at}, Contributor: "c_1", Connect: testkit.Patience}
	r, err := drp.New(t.Context(), cfg)
	if err == nil {
		_, err = r.Run(t.Context())
	}
	var f *drp.Failure
	if want := "another process contributes as c_1: end that one, or give --contributor another name"; !errors.As(err, &f) ||
		f.Kind != drp.Configuration || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "from this machine") {
		t.Errorf("%v", err)
	}
	if n := first.Books().Connections; n != 1 {
		t.Errorf("the first one connected %d times", n)
	}
}
