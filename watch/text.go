package watch

import (
	"strconv"
	"strings"
)

// exposition is the text format of Prometheus, which https://prometheus.io/docs/instrumenting/exposition_formats/ describes:
//
//	# HELP name text
//	# TYPE name counter
//	name{label="value",…} number
const exposition = "text/plain; version=0.0.4; charset=utf-8"

// text writes metrics, one family after the other. Its client library would bring nine modules, one of which reads the
// program's own file at every start, for what is written here.
type text struct {
	out    []byte
	common string // labels of all
	name   string // of the family at hand
	head   string // what stands before its first sample
}

var (
	inHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	inValue = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// pair is a label with its value, which may be anything: a script may have any name.
func pair(name, value string) string {
	return name + `="` + inValue.Replace(strings.ToValidUTF8(value, "\uFFFD")) + `"`
}

// begin begins a family, of which nothing is written when it has no sample.
func (t *text) begin(name, help, kind string) {
	t.name, t.head = name, "# HELP "+name+" "+inHelp.Replace(help)+"\n# TYPE "+name+" "+kind+"\n"
}

// sample writes one, of the name that the family has with a suffix.
func (t *text) sample(suffix string, value float64, names, values []string) {
	t.out = append(t.out, t.head...)
	t.head = ""
	t.out = append(append(t.out, t.name...), suffix...)
	labels := t.common
	for i, name := range names {
		if labels != "" {
			labels += ","
		}
		labels += pair(name, values[i])
	}
	if labels != "" {
		t.out = append(append(append(t.out, '{'), labels...), '}')
	}
	t.out = append(t.out, ' ')
	t.out = append(strconv.AppendFloat(t.out, value, 'g', -1, 64), '\n')
}

// histogram writes one: each bucket counts all up to its bound.
func (t *text) histogram(l *Latency, names, values []string) {
	names = append(names[:len(names):len(names)], "le")
	below := uint64(0)
	for i, bound := range Bounds() {
		if i < len(l.Counts) {
			below += l.Counts[i]
		}
		t.sample("_bucket", float64(below), names, append(values[:len(values):len(values)], strconv.FormatFloat(bound, 'g', -1, 64)))
	}
	t.sample("_bucket", float64(l.Count), names, append(values[:len(values):len(values)], "+Inf"))
	names = names[:len(names)-1]
	t.sample("_sum", l.Seconds, names, values)
	t.sample("_count", float64(l.Count), names, values)
}
