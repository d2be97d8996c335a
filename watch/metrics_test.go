package watch_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"drp/watch"
)

// scrape gives what Prometheus would take.
func scrape(t *testing.T, partition string, s watch.Status) map[string]*dto.MetricFamily {
	t.Helper()
	w := httptest.NewRecorder()
	watch.Metrics(partition, func() watch.Status { return s }).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	seriesOnce(t, all)
	return all
}

// seriesOnce: no two metrics have the same name and labels, of which Prometheus would take one.
func seriesOnce(t *testing.T, all map[string]*dto.MetricFamily) {
	t.Helper()
	seen := map[string]bool{}
	for name, family := range all {
		for _, m := range family.GetMetric() {
			series := name
			for _, l := range m.GetLabel() {
				series += "," + l.GetName() + "=" + strconv.Quote(l.GetValue())
			}
			if seen[series] {
				t.Errorf("twice: %s", series)
			}
			seen[series] = true
		}
	}
}

// scrapeAll gives the metrics of a run and of drp teb.
func scrapeAll(t *testing.T, partition string) map[string]*dto.MetricFamily {
	t.Helper()
	all := scrape(t, partition, full())
	maps.Copy(all, scrape(t, partition, building()))
	return all
}

// value gives that of the metric with these labels.
func value(t *testing.T, all map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	t.Helper()
	for _, m := range all[name].GetMetric() {
		has := func(i int) bool {
			return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == labels[i] && l.GetValue() == labels[i+1] })
		}
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && has(i)
		}
		if matches {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Errorf("there is no %s %v", name, labels)
	return 0
}

func TestMetricsSayWhatTheStatusDoes(t *testing.T) {
	all := scrape(t, "tst", full())
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"drp_events_received_total", nil, 100},
		{"drp_events_total", []string{"outcome", "recorded"}, 50},
		{"drp_events_total", []string{"outcome", "quarantined"}, 1},
		{"drp_events_in_flight", nil, 14},
		{"drp_gpu_busy_seconds_total", nil, 0.75},
		{"drp_gpu_up", nil, 1},
		{"drp_worker_state", []string{"worker", "post-1", "state", "working"}, 1},
		{"drp_searched_total", []string{"by", "cpu"}, 23},
		{"drp_searched_total", []string{"by", "gpu"}, 60},
		{"drp_deadtime_seconds_total", nil, 0.25},
		{"drp_trigger_decisions_total", []string{"reason", "hits"}, 40},
		{"drp_trigger_seconds", nil, 100},
		{"drp_stage_seconds", []string{"stage", "order"}, 100},
		{"drp_worker_script_seconds", []string{"worker", "4"}, 100},
		{"drp_worker_state", []string{"worker", "3", "state", "stopped"}, 1},
		{"drp_worker_state", []string{"worker", "3", "state", "idle"}, 0},
		{"drp_worker_state", []string{"worker", "5", "state", "ended"}, 1},
		{"drp_worker_busy_seconds_total", []string{"worker", "0", "partition", "tst"}, 1.5},
		{"drp_consumer_missed_total", []string{"consumer", "plots", "pid", "99"}, 4},
		{"drp_calibration_generation", nil, 2},
		{"drp_settings_generation", nil, 15},
		{"drp_settings_applied", nil, 16},
		{"drp_settings_refused_total", nil, 17},
		{"drp_run_state", []string{"state", "enabled"}, 1},
		{"drp_script_info", []string{"sha256", "5f1c", "post_sha256", "77aa"}, 1},
		{"drp_script_generation", nil, 3},
		{"drp_script_reloads_total", []string{"outcome", "used"}, 21},
		{"drp_script_reloads_total", []string{"outcome", "refused"}, 22},
		{"drp_script_reloads_total", []string{"outcome", "fell_back"}, 23},
		{"drp_run_info", []string{"run", "5", "script", "my \"roi\".py\n\uFFFD"}, 1},
	} {
		if got := value(t, all, tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s%v = %v, not %v", tt.name, tt.labels, got, tt.want)
		}
	}
	outcomes := 0.
	for _, m := range all["drp_events_total"].GetMetric() {
		outcomes += m.GetCounter().GetValue()
	}
	if outcomes+14 != 100 {
		t.Errorf("the outcomes are %v", outcomes)
	}
}

// TestMetricsOfABuilder are others than those of a run.
func TestMetricsOfABuilder(t *testing.T) {
	all := scrape(t, "tst", building())
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"drp_teb_info", []string{"rules", "rules.yaml", "partition", "tst"}, 1},
		{"drp_teb_events_total", nil, 100},
		{"drp_teb_transitions_total", nil, 5},
		{"drp_teb_kept_total", nil, 40},
		{"drp_teb_defaulted_total", nil, 2},
		{"drp_teb_built_total", []string{"outcome", "complete"}, 90},
		{"drp_teb_built_total", []string{"outcome", "timed_out"}, 8},
		{"drp_teb_built_total", []string{"outcome", "absent"}, 4},
		{"drp_teb_built_total", []string{"outcome", "skipped"}, 3},
		{"drp_teb_in_window", nil, 6},
		{"drp_teb_waiting", nil, 3},
		{"drp_teb_decisions_total", []string{"reason", "hits"}, 40},
		{"drp_teb_connections_total", []string{"outcome", "let_in"}, 7},
		{"drp_teb_connections_total", []string{"outcome", "refused"}, 9},
		{"drp_teb_connections_total", []string{"outcome", "unfit"}, 10},
		{"drp_teb_contributor_up", []string{"contributor", "cam_0"}, 1},
		{"drp_teb_contributor_up", []string{"contributor", "cam_1"}, 0},
		{"drp_teb_contributions_total", []string{"contributor", "cam_0"}, 105},
		{"drp_teb_late_total", []string{"contributor", "cam_0"}, 11},
		{"drp_teb_missing_total", []string{"contributor", "cam_0"}, 12},
		{"drp_teb_seconds", nil, 100},
		{"drp_settings_generation", nil, 0},
	} {
		if got := value(t, all, tt.name, tt.labels...); got != tt.want {
			t.Errorf("%s%v = %v, not %v", tt.name, tt.labels, got, tt.want)
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "drp_") && !strings.HasPrefix(name, "drp_teb_") && !strings.HasPrefix(name, "drp_settings_") {
			t.Errorf("%s is there, which would be counted beside that of the runs", name)
		}
	}
}

func TestBucketsAreCumulative(t *testing.T) {
	h := scrape(t, "", full())["drp_trigger_seconds"].GetMetric()[0].GetHistogram()
	last := uint64(0)
	for _, b := range h.GetBucket() {
		if b.GetCumulativeCount() < last {
			t.Errorf("%v has %d, the one before %d", b.GetUpperBound(), b.GetCumulativeCount(), last)
		}
		last = b.GetCumulativeCount()
	}
	if last != 100 || h.GetSampleSum() != 4.95 {
		t.Errorf("%d, %v", last, h.GetSampleSum())
	}
}

// TestNames holds to what Prometheus asks of names: units, _total for counters and for nothing else, help.
func TestNames(t *testing.T) {
	for name, f := range scrapeAll(t, "") {
		if !strings.HasPrefix(name, "drp_") {
			continue
		}
		if isCounter := f.GetType() == dto.MetricType_COUNTER; isCounter != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %v", name, f.GetType())
		}
		if !strings.HasSuffix(f.GetHelp(), ".") || regexp.MustCompile(`_(ms|kb|mb|percent)(_|$)`).MatchString(name) {
			t.Errorf("%s: %q", name, f.GetHelp())
		}
	}
}

// TestAStatusOfARunThatBegins has nothing yet, and can be read.
func TestAStatusOfARunThatBegins(t *testing.T) {
	all := scrape(t, "", watch.Status{State: "starting"})
	if got := value(t, all, "drp_run_state", "state", "starting"); got != 1 {
		t.Error(got)
	}
	for _, name := range []string{"drp_stage_seconds", "drp_trigger_seconds", "drp_gpu_up", "drp_worker_events_total", "drp_worker_script_seconds"} {
		if all[name] != nil {
			t.Errorf("%s is there", name)
		}
	}
}

var (
	metricName = regexp.MustCompile(`\b(drp|process|go)_[a-z0-9_]+`)
	matcher    = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"`)
	grouping   = regexp.MustCompile(`\bby ?\(([^)]*)\)`)
)

// TestDashboardAndAlertsNameWhatThereIs: every metric, and every label, that the files for Grafana and Prometheus name.
func TestDashboardAndAlertsNameWhatThereIs(t *testing.T) {
	all := scrapeAll(t, "tst")
	known := map[string]bool{"instance": true, "job": true, "le": true}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				known[l.GetName()] = true
			}
		}
	}
	used := map[string]bool{}
	for _, file := range []string{"drp.json", "alerts.yaml"} {
		for _, expr := range expressions(t, filepath.Join("..", "docs", "grafana", file)) {
			for _, name := range metricName.FindAllString(expr, -1) {
				base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, "")
				if f := all[base]; all[name] == nil && (f == nil || f.GetType() != dto.MetricType_HISTOGRAM) {
					t.Errorf("%s: there is no metric %s (%s)", file, name, expr)
				}
				used[base], used[name] = true, true
			}
			labels := []string{}
			for _, m := range matcher.FindAllStringSubmatch(expr, -1) {
				labels = append(labels, m[1])
			}
			for _, m := range grouping.FindAllStringSubmatch(expr, -1) {
				for _, l := range strings.Split(m[1], ",") {
					labels = append(labels, strings.TrimSpace(l))
				}
			}
			for _, l := range labels {
				if !known[l] {
					t.Errorf("%s: there is no label %s (%s)", file, l, expr)
				}
			}
			if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
				t.Errorf("%s: the brackets do not match: %s", file, expr)
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "drp_") && !used[name] {
			t.Errorf("neither dashboard nor alerts show %s", name)
		}
	}
}

// TestTheTableInDocs has every metric, with its help.
func TestTheTableInDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "metrics.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := scrapeAll(t, "")
	rows := regexp.MustCompile("(?m)^\\| `(drp_[a-z_]+)` \\| (.*?) \\| (.*) \\|$").FindAllStringSubmatch(string(text), -1)
	for _, row := range rows {
		f := all[row[1]]
		if f == nil || f.GetHelp() != row[3] {
			t.Errorf("%s: there is %v", row[0], f.GetHelp())
			continue
		}
		for _, l := range f.GetMetric()[0].GetLabel() {
			if !strings.Contains(row[2], "`"+l.GetName()+"`") {
				t.Errorf("%s: its label %s is not named", row[1], l.GetName())
			}
		}
		delete(all, row[1])
	}
	for name := range all {
		if strings.HasPrefix(name, "drp_") {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// expressions gives those of a file.
func expressions(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*"?expr"?: (.*?),?$`).FindAllStringSubmatch(string(text), -1) {
		expr := strings.Trim(m[1], `"'`)
		all = append(all, strings.ReplaceAll(expr, `\"`, `"`))
	}
	if len(all) < 5 {
		t.Fatalf("%s: %d expressions were found", path, len(all))
	}
	return all
}
