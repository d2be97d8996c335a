package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestAPartitionIsSteered as a whole: parameters and scripts of all its processes, or of none.
func TestAPartitionIsSteered(t *testing.T) {
	t.Parallel()
	text := looping(`threshold = ds.param("threshold", 50, max=LIMIT)`, "1")
	decides := testkit.Script(t, "import drp\nts = drp.TriggerSource()\nlevel = ts.param('level', 3, min=0)\nfor batch in ts.batches():\n"+
		"    batch.accept, batch.monitor = True, level.value\n")
	server, at := builderBy(t, "tcp://127.0.0.1:0", "-t", decides, "--contributors", "cam_0,cam_1", "--http", "127.0.0.1:0", "--set", "level=4")
	begin := func(limit, name string) (*invocation, string) {
		s := testkit.Script(t, strings.ReplaceAll(text, "LIMIT", limit))
		v := prepare(t, nil, "--python", testkit.Python(t), "-s", smallSim+",events=0", "--rate", "500", "-w", "1", "--partition", "tst", "--teb", at,
			"--contributor", name, "-p", s)
		v.Cmd.Env = append(v.Cmd.Env, "XDG_RUNTIME_DIR="+server.RunDir)
		v.RunDir = server.RunDir
		return v.start(), s
	}
	first, script := begin("100", "cam_0")
	second, _ := begin("70", "cam_1")
	first.enabled()
	second.enabled()
	threshold := func(v *invocation) (now int) {
		var l struct{ Settings []struct{ Value int } }
		if o := v.beside("set", "--json", "--pid", strconv.Itoa(v.PID())).wants(t, 0); json.Unmarshal([]byte(o.stdout), &l) != nil || len(l.Settings) != 1 {
			t.Fatalf("it says %s", o.stdout)
		}
		return l.Settings[0].Value
	}
	first.beside("set", "--partition", "tst", "threshold=80").wants(t, 3, "nothing was changed in any process", "80 is more than 70")
	if a, b := threshold(first), threshold(second); a != 50 || b != 50 {
		t.Errorf("after a refusal they have %d and %d", a, b)
	}
	var told []struct {
		PID        int
		Outcome    string
		Generation int
	}
	o := first.beside("set", "--partition", "tst", "--json", "threshold=60").wants(t, 0)
	if err := json.Unmarshal([]byte(o.stdout), &told); err != nil || len(told) != 3 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	for _, p := range told {
		if p.PID == server.PID() && p.Outcome != "left" || p.PID != server.PID() && (p.Outcome != "set" || p.Generation != 2) {
			t.Errorf("%+v", p)
		}
	}
	if a, b := threshold(first), threshold(second); a != 60 || b != 60 {
		t.Errorf("they have %d and %d", a, b)
	}
	testkit.WriteFile(t, script, "for:\n")
	first.beside("reload", "--partition", "tst", "--now").wants(t, 5, "no process takes its script anew", "process "+strconv.Itoa(first.PID()), "SyntaxError")
	first.beside("status", "--pid", strconv.Itoa(first.PID())).wants(t, 0)
	testkit.WriteFile(t, script, strings.ReplaceAll(text, "LIMIT", "100")+"# another\n")
	o = first.beside("reload", "--partition", "tst", "--now", "--wait").wants(t, 0)
	for v, want := range map[*invocation]string{first: "in use, generation 2", second: "in use, generation 1"} {
		if !strings.Contains(o.stdout, "process "+strconv.Itoa(v.PID())) || !strings.Contains(o.stdout, want) {
			t.Errorf("it says %s, not %s", o.stdout, want)
		}
	}
	good, err := os.ReadFile(decides)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, script, strings.ReplaceAll(text, "LIMIT", "100")+"# a third\n")
	testkit.WriteFile(t, decides, strings.Replace(string(good), "level.value", "level.value // 0", 1))
	first.beside("reload", "--partition", "tst", "--now").wants(t, 5, "no process takes its script anew", "process "+strconv.Itoa(server.PID()), "ZeroDivisionError")
	testkit.WriteFile(t, decides, "# another\n"+string(good))
	o = first.beside("reload", "--partition", "tst", "--now", "--wait").wants(t, 0)
	for v, want := range map[*invocation]string{first: "in use, generation 3", second: "in use, generation 1", server: "in use, generation 2"} {
		if !strings.Contains(o.stdout, "process "+strconv.Itoa(v.PID())) || !strings.Contains(o.stdout, want) {
			t.Errorf("it says %s, not %s", o.stdout, want)
		}
	}
	testkit.WriteFile(t, script, strings.ReplaceAll(text, "LIMIT", "100")+"# another\n")
	o = first.beside("top", "--count", "2", "--every", "200ms").wants(t, 0)
	for _, v := range []*invocation{server, first, second} {
		if strings.Count(o.stdout, strconv.Itoa(v.PID())) != 2 {
			t.Errorf("top shows\n%s", o.stdout)
		}
	}
	builderIsWatched(t, server)
	testkit.Stop(t, second.PID())
	first.beside("set", "--partition", "tst", "threshold=61").wants(t, 1, "process "+strconv.Itoa(second.PID())+" lives and does not answer")
	signal(t, second, syscall.SIGCONT)
	if a := threshold(first); a != 60 {
		t.Errorf("with one that does not answer it has %d", a)
	}
	for _, v := range []*invocation{first, second, server} { // they have one run-time folder, which is empty when all have left
		signal(t, v, syscall.SIGINT)
		<-v.Done
	}
	first.finish().wants(t, 130)
	second.finish().wants(t, 130)
	server.finish().wants(t, 0)
}

// builderIsWatched looks at drp teb in all the ways in which a run is looked at.
func builderIsWatched(t *testing.T, server *invocation) {
	t.Helper()
	pid := strconv.Itoa(server.PID())
	m := watchedAt.FindStringSubmatch(server.Stderr.String())
	if m == nil {
		t.Fatalf("no address is printed:\n%s", server.Stderr.String())
	}
	for _, o := range []outcome{server.beside("status", "--pid", pid), server.beside("status", m[0]), server.beside("top", "--pid", pid, "--count", "2", "--every", "200ms")} {
		if o.wants(t, 0); !strings.Contains(o.stdout, "drp teb "+pid+" on ") || !regexp.MustCompile(`cam_1 +yes +\d+ +[1-9]`).MatchString(o.stdout) {
			t.Errorf("it shows\n%s", o.stdout)
		}
	}
	if code, text := testkit.Ask(t, http.MethodGet, m[1]+"/metrics", m[2], ""); code != http.StatusOK ||
		!strings.Contains(text, `drp_teb_contributor_up{partition="tst",contributor="cam_0"} 1`) || strings.Contains(text, "drp_events_received_total") {
		t.Errorf("%d: %s", code, text)
	} else if timed := regexp.MustCompile(`drp_teb_seconds_count\{partition="tst"\} [1-9]\d*`).FindStringSubmatch(text); timed == nil {
		t.Errorf("no decision is timed: %s", text)
	}
	if code, _ := testkit.Ask(t, http.MethodGet, m[1]+"/metrics", "x", ""); code != http.StatusUnauthorized {
		t.Errorf("with another token: %d", code)
	}
	if code, text := testkit.Ask(t, http.MethodGet, m[1]+"/v1/settings", m[2], ""); code != http.StatusOK || !strings.Contains(text, `"value": 4`) {
		t.Errorf("%d: %s", code, text)
	}
	if code, text := testkit.Ask(t, http.MethodGet, m[1]+"/v1/status", m[2], ""); code != http.StatusOK || !strings.Contains(text, `"generation": 1`) {
		t.Errorf("%d: %s", code, text)
	}
	_, steer := server.addresses()
	if code, text := testkit.Ask(t, http.MethodPost, below(steer, "/v1/reload"), "", "{}"); code != http.StatusOK || !strings.Contains(text, `"state": "in use"`) {
		t.Errorf("%d: %s", code, text)
	}
	server.beside("set", "--pid", pid, "level=-1").wants(t, 3, "-1 is less than 0, the least that the trigger script allows; 4 stays")
	server.beside("set", "--partition", "tst", "level=6").wants(t, 0)
	if !testkit.Within(20*time.Second, func() bool {
		o := server.beside("set", "--pid", pid, "--history")
		return strings.Contains(o.stdout, "generation 2: level 4 -> 6 (socket)")
	}) {
		t.Error("the parameter of the trigger script does not change")
	}
}
