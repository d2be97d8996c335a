package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestABuilderReadsItsFile at the start, and anew on SIGHUP when its script has declared what can be set; what is for runs alone, as
// $DRP_SET, it does not take.
func TestABuilderReadsItsFile(t *testing.T) {
	t.Parallel()
	decides := testkit.Script(t, "import drp\nts = drp.TriggerSource()\nlevel = ts.param('level', 3, min=0)\n"+
		"for batch in ts.batches():\n    batch.accept, batch.monitor = True, level.value\n")
	file := filepath.Join(t.TempDir(), "teb.yaml")
	write := func(text string) { testkit.WriteFile(t, file, "contributors: [cam_0]\nwait: 30s\n"+text) }
	write("settings: {level: 4}\n")
	server := prepare(t, []string{"env", "DRP_SET=threshold=60"}, "teb", "--python", testkit.Python(t), "--partition", "tst", "--listen", "tcp://127.0.0.1:0",
		"-t", decides, "--config", file).start()
	server.Says("for cam_0")
	at := listensAt.FindStringSubmatch(server.Stderr.String())[1]
	write("trigger-workers: 2\nsettings: {level: 5}\n")
	signal(t, server, syscall.SIGHUP)
	server.Says("SIGHUP: the run has not begun: " + file + " is read anew when its script has declared what can be set")
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "500", "-w", "1", "--partition", "tst", "--teb", at, "--contributor", "cam_0", "-p", bundled("passthrough.py")).start()
	v.enabled()
	server.Says("generation 1: level is 4 (start)")
	server.Says("a run that goes on cannot change trigger-workers: that takes a start anew")
	server.Says("generation 2: level 4 -> 5 (SIGHUP)")
	write("settings: {level: -5}\n")
	signal(t, server, syscall.SIGHUP)
	server.Says("SIGHUP: " + file + ": no setting changes: level: -5 is less than 0, the least that the trigger script allows; 5 stays")
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130)
	signal(t, server, syscall.SIGINT)
	server.finish().wants(t, 0)
	write("wiat: 3s\n")
	o := prepare(t, nil, "teb", "-t", decides, "--config", file).run()
	if o.wants(t, 3); !strings.Contains(o.stderr, file+`:3: unknown key "wiat"; did you mean "wait"?`) {
		t.Errorf("it says %s", o.stderr)
	}
}

// TestABuilderWithoutATerminal ends in order.
func TestABuilderWithoutATerminal(t *testing.T) {
	t.Parallel()
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	testkit.WriteFile(t, rules, "rules: [{name: all, when: \"true\", persist: true}]\n")
	server, _ := builderBy(t, "tcp://127.0.0.1:0", "-t", rules, "--contributors", "cam_0")
	signal(t, server, syscall.SIGHUP)
	if o := server.finish().wants(t, 0); !strings.Contains(o.stdout, "connections ") {
		t.Errorf("it prints no books: %s", o.stdout)
	}
}
