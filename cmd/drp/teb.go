package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/internal/settings"
	"drp/internal/wire"
	"drp/teb"
	tebscript "drp/teb/script"
	tebserve "drp/teb/serve"
	"drp/watch"
)

// tebFlags are those of the stand-alone trigger event builder.
type tebFlags struct {
	rules        string
	listen       []string
	partition    string
	contributors []string
	wait         time.Duration
	decide       time.Duration
	otherwise    string
	summary      string
	workers      int
	python       string
	control      controlFlags
	watch        watchFlags
	live         liveFlags // but for UDP
	config       string
}

// runner is what a script runs with.
func (f *tebFlags) runner(log *slog.Logger) runner {
	return runner{python: f.python, workers: f.workers, deadline: f.decide, log: log}
}

const tebLong = `teb decides, for all drp processes of a partition, which events are recorded: it joins what they bring by pulse ID,
and answers each of them (docs/teb.md).

  drp teb -t rules.yaml --partition tst --contributors epix_0,epix_1 --listen tcp://:5600
  drp teb -t "trigger.py 100" --trigger-workers 4 --partition tst --contributors epix_0,epix_1 --listen tcp://:5600
  drp -p "myroi.py 100 120" --partition tst --teb tcp://daq-node:5600 --contributor epix_0

It lets them in when all contributors are there, prints the books when all have left, and waits for the next run, until it
is interrupted, which is its normal end. Rules that do not fit what is brought end it with exit code 3.`

func newTEBCommand() *cobra.Command {
	f := tebFlags{}
	cmd := &cobra.Command{
		Use:   "teb -t RULES.yaml --contributors NAME,NAME,…",
		Short: "Decide for several drp processes what is recorded",
		Long:  tebLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := applyFile(cmd.Flags(), f.config); err != nil {
				return err
			}
			f.live.flags, f.live.set.environment = cmd.Flags(), nil // which is for runs
			defer f.live.catch()()
			ctx, stop := signal.NotifyContext(cmd.Context(), f.live.endings()...)
			defer stop()
			return placed(cmd.Flags(), decideForOthers(ctx, f))
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVarP(&f.rules, "trigger", "t", "", "YAML file of `rules`, as scripts/trigger_expr.yaml, or a trigger script: \"trigger.py ARGS\"")
	fl.IntVar(&f.workers, "trigger-workers", 1, "processes of the trigger script; with one it may remember earlier events")
	fl.StringVar(&f.python, "python", "", "Python interpreter (default: that of the active or neighbouring .venv, or python3)")
	fl.StringArrayVar(&f.listen, "listen", nil, "where drp processes connect: `tcp://HOST:PORT` or ipc:///PATH; may be given several times")
	fl.StringVar(&f.partition, "partition", "", "name of the partition; those of others are refused")
	fl.StringSliceVar(&f.contributors, "contributors", nil, "names of those who must be there (default: as the file of rules says)")
	fl.DurationVar(&f.wait, "wait", time.Second, "how long an event waits for a contribution, from the first one on")
	fl.DurationVar(&f.decide, "trigger-deadline", time.Second, "longest wait for the rules, or the script")
	oneOfVar(fl, &f.otherwise, "trigger-default", "then keep the event, or veto it", "keep", "veto")
	fl.StringVar(&f.summary, "summary", "", "write the books as JSON to this `file`")
	f.control.add(fl)
	f.watch.add(fl)
	fl.StringVar(&f.config, "config", "", "YAML `file` with any of these flags by their long names, and settings: as for a run; SIGHUP lets it be read anew")
	fl.Var(&f.live.set, setName, "parameters of the script at the start, as `NAME=VALUE`; drp set changes them later (docs/settings.md)")
	cmd.AddCommand(newTEBReplayCommand())
	return cmd
}

// complete gives the rules, and where to listen.
func (f *tebFlags) complete() (rules ruleFile, listen []wire.Endpoint, err error) {
	if f.rules == "" {
		return rules, nil, errors.New("no rules: give a file or a script with -t; scripts/trigger_expr.yaml is one")
	}
	if err := checkWorkers(f.workers); err != nil {
		return rules, nil, err
	}
	if f.wait <= 0 || f.decide <= 0 {
		return rules, nil, errors.New("--wait and --trigger-deadline are times above 0")
	}
	if rules, err = readRules(f.rules); err == nil {
		err = rules.check(f.runner(nil)) // what is wrong is known before anybody waits
	}
	if err != nil {
		return rules, nil, unfit("-t", err)
	}
	if len(f.contributors) > 0 {
		rules.Contributors = f.contributors
	}
	if n := len(rules.Contributors); n < 1 || n > teb.MaxContributors {
		return rules, nil, fmt.Errorf("%d contributors: name 1 to %d with --contributors or in %s", n, teb.MaxContributors, f.rules)
	}
	if err := checkContributors(rules.Contributors); err != nil && len(f.contributors) > 0 {
		return rules, nil, fmt.Errorf("--contributors: %w", err)
	} else if err != nil {
		return rules, nil, &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	for _, text := range f.listen {
		e, err := parseEndpoint(text)
		if err != nil {
			return rules, nil, fmt.Errorf("--listen: %w", err)
		}
		if _, err := os.Stat(filepath.Dir(e.Path)); e.Path != "" && errors.Is(err, fs.ErrNotExist) {
			return rules, nil, &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--listen %s: there is no folder %s: make it, with "+
				"rights for this user alone (0700)", text, filepath.Dir(e.Path))}
		}
		listen = append(listen, e)
	}
	if len(listen) == 0 {
		return rules, nil, errors.New("no place to listen: give --listen tcp://HOST:PORT or ipc:///PATH")
	}
	return rules, listen, nil
}

// checkContributors refuses names that no rule could use, before anybody waits for them.
func checkContributors(names []string) error {
	var schemas []*teb.Schema
	for i, name := range names {
		s, err := teb.NewSchema(name)
		if err != nil {
			return err
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("contributor %s is named twice", name)
		}
		schemas = append(schemas, s)
	}
	_, err := teb.NewExpression([]teb.Rule{{Name: "any", When: "true"}}).Configure(schemas)
	return err
}

// tebBooks is what --summary writes.
type tebBooks struct {
	Partition   string            `json:"partition"`
	Books       []teb.Books       `json:"books"` // of each time that all contributors were there
	Reasons     []teb.Reason      `json:"reasons"`
	Connections tebserve.Counts   `json:"connections"`
	Settings    *settings.Listing `json:"settings,omitempty"` // of the script, with the latest changes
}

// builders are the TEBs of a server, one after the other.
type builders struct {
	ctx      context.Context // of the server
	f        *tebFlags
	rules    *ruleFile
	log      *slog.Logger
	time     watch.Histogram // of decisions
	settings tebSettings
	wrong    tebTroubles

	mu     sync.Mutex // protects what follows
	all    []*teb.TEB
	script *tebscript.Logic // of the latest; nil where rules decide
}

// make makes the TEB of contributors that are all there.
func (b *builders) make(schemas []*teb.Schema) (*teb.TEB, error) {
	with := b.f.runner(b.log)
	with.trouble = b.wrong.ofScript
	logic, err := b.rules.logic(with)
	if err != nil {
		return nil, err
	}
	c := teb.Config{Partition: b.f.partition, Logic: logic, Deadline: b.f.wait,
		Decide: b.f.decide, Default: teb.Verdict{Persist: b.f.otherwise == "keep"}, Prescale: b.rules.groups,
		PrescaleSeed: b.rules.Seed, Waited: b.time.Add, Settings: b.settings.turn}
	for _, s := range schemas {
		c.Contributors = append(c.Contributors, teb.Member{Schema: s})
	}
	defer context.AfterFunc(b.ctx, func() { teb.CloseLogic(logic) })() // a script may take long to begin
	t, err := teb.New(c)
	if err != nil {
		return nil, err
	}
	if err := b.settings.declare(t.Parameters()); err != nil {
		t.Close()
		return nil, &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	b.log.Info("all contributors are there: " + strings.Join(t.Table().Contributors, ", "))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, t)
	b.script, _ = logic[0].(*tebscript.Logic)
	return t, nil
}

// decideForOthers serves until it is interrupted.
func decideForOthers(ctx context.Context, f tebFlags) error {
	rules, listen, err := f.complete()
	if err == nil {
		err = f.control.complete("teb", f.partition)
	}
	if err != nil {
		return err
	}
	if err := tryWriting(f.summary); err != nil {
		return err
	}
	log := newScreen(os.Stderr, false).logger()
	b := &builders{ctx: ctx, f: &f, rules: &rules, log: log}
	b.wrong.b = b
	if err := b.settings.begin(&f.live.set, rules.Script != "", log); err != nil {
		return err
	}
	b.settings.recall = f.control.recall(ctx)
	s := tebserve.NewGathering(rules.Contributors, tebserve.Options{Log: log, Partition: f.partition}, b.make)
	for _, e := range listen {
		address, err := s.Listen(e)
		if err != nil {
			s.Close()
			return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--listen: %w", err)}
		}
		if e.Path == "" {
			e.Address = address.String()
		}
		log.Info(fmt.Sprintf("partition %q listens at %v, for %s", f.partition, e, strings.Join(rules.Contributors, ", ")))
	}
	looking, err := f.look(b, s)
	if err != nil {
		s.Close()
		return err
	}
	defer looking.close()
	steering, err := f.live.open(looking, log)
	if err != nil {
		s.Close()
		return err
	}
	defer steering.close()
	ctx, end := context.WithCancel(ctx)
	defer end()
	if err := f.control.obeyAll(ctx, log, &b.wrong, end); err != nil {
		s.Close()
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-s.Failed():
		err = &drp.Failure{Kind: drp.Configuration, Err: err}
	}
	f.control.leave(err)
	counts := s.Counts()
	s.Close()
	return errors.Join(err, b.close(counts))
}

// close prints the books, and writes them.
func (b *builders) close(counts tebserve.Counts) error {
	books := tebBooks{Partition: b.f.partition, Connections: counts, Books: []teb.Books{}}
	if l := b.settings.book.List(); len(l.Settings) > 0 {
		books.Settings = &l
	}
	var wrong error
	for _, t := range b.all {
		own := t.Books()
		books.Books, books.Reasons = append(books.Books, own), t.Reasons()
		wrong = errors.Join(wrong, own.Check())
		printf("events      %12d: %d kept, %d by default; transitions %d\n", own.Events, own.Kept, own.Defaulted, own.Transitions)
		for i, r := range t.Reasons() {
			if own.Reasons[i] > 0 {
				printf("  %-12s%10d\n", r.Name, own.Reasons[i])
			}
		}
		printf("  complete %d, without a contribution that came too late %d, of somebody gone %d, of somebody who skipped it %d\n",
			own.Complete, own.TimedOut, own.Absent, own.Skipped)
	}
	printf("connections %12d let in, %d refused, %d unfit\n", counts.Let, counts.Refused, counts.Unfit)
	if b.f.summary == "" {
		return general(wrong)
	}
	text, err := json.MarshalIndent(books, "", "  ")
	if err == nil {
		err = os.WriteFile(b.f.summary, append(text, '\n'), 0o640)
	}
	return general(errors.Join(wrong, err))
}
