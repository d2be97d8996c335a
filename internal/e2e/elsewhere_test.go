package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// pageElsewhere shows the page of a run from a process of its own, and gives the address.
func (v *invocation) pageElsewhere(name string) (other *invocation, watch string) {
	v.t.Helper()
	other = prepare(v.t, nil, "monitor", name, "--http", "127.0.0.1:0")
	other.Cmd.Env = append(other.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	other.start()
	other.Says("from another machine") // the last that it says of addresses
	m := watchedAt.FindAllString(other.Stderr.String(), -1)
	if len(m) != 1 || strings.Contains(other.Stderr.String(), "steered") {
		v.t.Errorf("it has nothing to steer, and says\n%s", other.Stderr.String())
	}
	return other, m[0]
}

// TestPageOfARunThatIsGone: who shows the page of a run of another process keeps the last status of it, and says what became
// of the run: lost while it does not answer, enabled when it goes on; ended, or lost when it was killed.
func TestPageOfARunThatIsGone(t *testing.T) {
	t.Parallel()
	for state, sig := range map[string]syscall.Signal{"ended": syscall.SIGINT, "lost": syscall.SIGKILL} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			v := pipeline(t, "-s", smallSim+",events=0", "--rate", "500", "-w", "1", "-p", testkit.Script(t, looping("pass", "pass")),
				"--monitor", "tst/gone").start()
			v.enabled()
			page, address := v.pageElsewhere("tst/gone")
			var s status
			becomes := func(state string) {
				t.Helper()
				if !testkit.Within(testkit.Patience, func() bool {
					code, text := testkit.Ask(t, http.MethodGet, below(address, "/v1/status"), "", "")
					s = status{}
					return code == http.StatusOK && json.Unmarshal([]byte(text), &s) == nil && s.State == state
				}) || s.PID != v.PID() || s.Script == "" || s.Events.Received < 100 || len(s.Workers) != 1 {
					t.Fatalf("not %s: %+v\n%s", state, s, page.LastWords())
				}
			}
			becomes("enabled")
			v.Signal(syscall.SIGSTOP)
			becomes("lost")
			v.Signal(syscall.SIGCONT)
			becomes("enabled")
			v.Signal(sig)
			v.WaitFor(testkit.Patience)
			becomes(state)
			page.Signal(syscall.SIGINT)
			page.finish().wants(t, 0)
		})
	}
}
