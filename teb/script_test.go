package teb_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
)

// rulesOf reads the rules of scripts/trigger_expr.yaml, each of which stands on one line.
func rulesOf(t *testing.T) (rules []teb.Rule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "scripts", "trigger_expr.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("c.peaks"), []byte("c.npeaks")) // as the contributors of these tests call it
	line := regexp.MustCompile(`(?m)^  - \{name: (\w+), when: "(.*?)"(, persist: true)?(?:, monitor: (\d+))?\}$`)
	for _, m := range line.FindAllSubmatch(text, -1) {
		monitor, _ := strconv.Atoi(string(m[4]))
		rules = append(rules, teb.Rule{Name: string(m[1]), When: string(m[2]), Persist: len(m[3]) > 0, Monitor: uint32(monitor)})
	}
	return rules
}

func TestScript(t *testing.T) {
	rules := rulesOf(t)
	if len(rules) != 3 {
		t.Fatalf("%d rules: %+v", len(rules), rules)
	}
	members := peaks(t, "epix_0", "epix_1")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{teb.NewExpression(rules)}})
	feeds := []*feed{newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)}
	for pulse := range uint64(200) {
		for _, f := range feeds {
			switch pulse {
			case 7:
				f.event(pulse, 8)
			case 8:
				f.event(pulse, 7)
			default:
				f.event(pulse, 1)
			}
		}
	}
	for _, f := range feeds {
		f.send()
	}
	kept := map[string]int{}
	for _, d := range rest(t, b) {
		name := b.Reasons()[d.Reason].Name
		kept[name]++
		if d.Kept() != (name == "hit" || name == "background") {
			t.Errorf("%s: %+v", name, d)
		}
		if d.Pulse == 7 && (name != "hit" || d.Monitor&1 == 0) || d.Pulse == 8 && d.Monitor&1 == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if kept["hit"] != 1 || kept["background"] != 2 || kept["crowded"] != 1 || kept["rejected"] != 196 {
		t.Errorf("%v", kept)
	}
}
