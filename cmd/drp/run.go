package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/source"
)

// runFlags are the flags of the default verb that drp.Config does not hold as they are.
type runFlags struct {
	script   string
	post     string
	sources  []string
	rate     string
	policy   string
	config   string
	summary  string
	maxLoss  float64
	progress bool

	partition string
	calib     calibFlags
	hits      hitFlags
	trigger   triggerFlags
	control   controlFlags
	watch     watchFlags
	monitor   monitorFlags
	live      liveFlags
	gpu       string
	onUnrest  string
}

const runLong = `drp runs a Python script on every datagram of a detector and records what it makes of them.

  drp -p "myroi.py 100 120"                              the script on the simulated camera
  drp -s run.xtc2 -p "myroi.py 100 120 64" -o out        on a recorded file, into XTC2 files in out/
  drp -s sim:segments=4,hits=0.2 -w 8 -p passthrough.py  on a smaller camera, with 8 workers

Every flag can also be given in the environment (--buf-bytes as DRP_BUF_BYTES) or in a YAML file (--config); a flag
goes before the environment, and that before the file.

Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 source, 5 user script, 6 loss above the limit,
7 no GPU, 130 interrupt.`

func newRunCommand() *cobra.Command {
	var cfg drp.Config
	var f runFlags
	cmd := &cobra.Command{
		Use:           `drp -p "SCRIPT ARGS" [-s SOURCE] [-o DIR]`,
		Short:         "Run a Python script on every datagram of an X-ray detector",
		Long:          runLong,
		Args:          noStrayArguments,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := applySettings(cmd.Flags(), f.config); err != nil {
				return err
			}
			if err := checkValues(cmd.Flags(), &cfg, &f); err != nil {
				return placed(cmd.Flags(), err)
			}
			f.live.flags = cmd.Flags()
			return placed(cmd.Flags(), run(cfg, f))
		},
	}
	cfg.Stream = -1
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVarP(&f.script, "script", "p", "", "the user's `script` and its arguments, in one string")
	fl.StringVar(&f.post, "post", "", "a second `script` and its arguments, which is shown only what is recorded and may change it, as crop.py does")
	fl.StringArrayVarP(&f.sources, "source", "s", []string{"sim:"}, "where datagrams come from: sim:key=value,… or XTC2 files, folders, patterns")
	fl.IntVarP(&cfg.Workers, "workers", "w", runtime.NumCPU(), "worker processes")
	fl.StringVarP(&cfg.OutputDir, "output", "o", "", "`folder` for the recorded files; without it nothing is recorded")
	fl.StringVar(&cfg.Expt, "expt", "", "experiment in the names of the files (empty: as the source says)")
	fl.Var((*decimal)(&cfg.Run), "run", "run number in the names of the files (0: as the source says)")
	fl.Var((*decimal)(&cfg.Stream), "stream", "stream number in the names of the files (-1: as the source says)")
	recordFlags(fl, &cfg)
	fl.Int64Var(&cfg.Events, "events", 0, "stop after so many events (0: all the source has)")
	fl.StringVar(&f.rate, "rate", "full", "events per second, or recorded, or full")
	fl.BoolVar(&cfg.Loop, "loop", false, "begin again when the files are through")
	fl.Int64Var(&cfg.Prescale, "prescale", 0, "keep the raw data of every Nth event, whatever the script does (0: of none)")
	fl.BoolVar(&cfg.L0Raw, "l0raw", false, "also keep the raw data of events that the timing system marked (L0Raw)")
	oneOfVar(fl, &f.policy, "policy", "when the workers cannot keep up: block the source, or drop events", "block", "drop")
	fl.Float64Var(&f.maxLoss, "max-loss", -1, "percentage of events that may be lost before the exit code is 6 (-1: 0, or 100 with --policy drop)")
	fl.IntVar(&cfg.Slots, "slots", 0, "event slots of each worker (default: as many as a run needs)")
	bytesVar(fl, &cfg.EventBytes, "buf-bytes", "size of an event slot (default: the largest event of the source)")
	bytesVar(fl, &cfg.ResultBytes, "fex-bytes", "size of what a script may add to an event (default: that of the event slot, 64 KiB to 1 MiB)")
	bytesVar(fl, &cfg.TransitionBytes, "transition-bytes", "size of a transition, and of what a script may add to one (default 64 MiB)")
	fl.StringVar(&cfg.Python, "python", "", "Python interpreter (default: that of the active or neighbouring .venv, or python3)")
	fl.StringVar(&cfg.Detector, "detector", "", "detector that a script takes as its own (default: the first camera)")
	fl.BoolVar(&cfg.Strict, "strict", false, "end the run with exit code 5 when the script or the trigger fails on an event")
	supervisionFlags(fl, &cfg, &f)
	f.calib.add(fl, &cfg.Calibration)
	f.hits.add(fl)
	f.trigger.add(fl)
	f.control.add(fl)
	f.watch.add(fl)
	f.watch.aim.add(fl)
	f.monitor.add(fl)
	f.live.add(fl)
	oneOfVar(fl, &f.gpu, "gpu", "find hits on a GPU: on, and by the CPU where there is none; or required (docs/gpu.md)", gpuOff, gpuOn, gpuRequired)
	fl.Lookup("gpu").NoOptDefVal = gpuOn
	fl.StringVar(&f.partition, "partition", "", "name of the part of the experiment that this process serves: a second one of the same name is refused")
	fl.StringVar(&f.config, "config", "", "YAML `file` with any of these flags by their long names")
	fl.StringVar(&f.summary, "summary", "", "write the books as JSON to this `file`")
	fl.BoolVar(&f.progress, "progress", true, "show a progress line on a terminal")
	return cmd
}

// noStrayArguments points at the usual mistake: a script without -p.
func noStrayArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if word := args[0]; cmd.Flags().Changed("gpu") && (word == gpuOn || word == gpuOff || word == gpuRequired) {
		return fmt.Errorf("--gpu %s: write --gpu=%s", word, word)
	}
	return fmt.Errorf("%q is neither a verb nor a flag; the script and its arguments go in one string: -p %q", args[0],
		args[0]+" …")
}

// complete turns the flags into the configuration.
func (f *runFlags) complete(cfg *drp.Config) (err error) {
	if err := f.completeScripts(cfg); err != nil {
		return err
	}
	for _, s := range f.sources {
		names, err := splitWords(s)
		if err != nil {
			return fmt.Errorf("-s: %w", err)
		}
		cfg.Sources = append(cfg.Sources, names...)
	}
	if len(cfg.Sources) == 0 {
		return errors.New("-s: no source is named")
	}
	if cfg.Rate, err = source.ParseRate(f.rate); err != nil {
		return fmt.Errorf("--%w", err)
	}
	cfg.Drop = f.policy == "drop"
	if f.maxLoss > 100 || math.IsNaN(f.maxLoss) {
		return fmt.Errorf("--max-loss %g: give a percentage from 0 to 100", f.maxLoss)
	}
	if f.maxLoss < 0 {
		f.maxLoss = 0
		if cfg.Drop {
			f.maxLoss = 100
		}
	}
	if cfg.Hits, err = f.hits.complete(); err != nil {
		return err
	}
	if f.hits.search.takenBack() && f.gpu == gpuOn {
		f.gpu = gpuOff // there is nothing for it
	}
	if err := f.control.complete(f.trigger.contributor, f.partition); err != nil {
		return err
	}
	if cfg.Trigger, err = f.trigger.complete(f.partition); err != nil {
		return err
	}
	if cfg.Monitor, err = f.monitor.complete(); err != nil {
		return err
	}
	if cfg.Settings, err = f.live.set.values(); err != nil {
		return err
	}
	if err := f.watch.watchable(cfg); err != nil {
		return err
	}
	cfg.PythonPath = drp.PythonPath()
	return f.completeSupervision(cfg)
}

// completeScripts takes the scripts apart from their arguments.
func (f *runFlags) completeScripts(cfg *drp.Config) error {
	words, err := splitWords(f.script)
	if err != nil {
		return fmt.Errorf("-p: %w", err)
	}
	if len(words) == 0 {
		return errors.New(`no script: give one with -p "SCRIPT ARGS"; drp --help shows examples`)
	}
	cfg.Script, cfg.Args = words[0], words[1:]
	if words, err = splitWords(f.post); err != nil {
		return fmt.Errorf("--post: %w", err)
	}
	if len(words) > 0 {
		cfg.Post = &drp.Post{Script: words[0], Args: words[1:]}
	}
	return nil
}

// run does the main job.
func run(cfg drp.Config, f runFlags) error {
	if err := f.complete(&cfg); err != nil {
		return err
	}
	screen := newScreen(os.Stderr, f.progress)
	defer f.live.catch()()
	cfg.Log = f.watch.journal(screen.logger())
	if err := becomeGPUProgram(f.gpu, cfg.Hits, cfg.Log); err != nil {
		return err
	}
	if err := refuseFewThreads(cfg.Processes()); err != nil {
		return err
	}
	release, err := lockPartition(f.lock())
	if err != nil {
		return err
	}
	defer release()
	if err := cmp.Or(tryWriting(f.summary), examineScripts(&cfg)); err != nil {
		return err
	}
	warnOfLimits(cfg.Processes(), cfg.Log)
	if err := f.tryFolders(&cfg); err != nil {
		return err
	}
	if cfg.OutputDir != "" {
		warnOfAborted(cfg.OutputDir, cfg.Log)
		defer absent(filepath.Join(cfg.OutputDir, "smalldata")).removeEmpty()
	}
	constants, err := f.calib.openFor(&cfg)
	if err != nil {
		return err
	}
	if constants != nil {
		defer func() { _ = constants.Close() }()
	}
	cfg.Calibration.Partition = f.partition
	gpu, err := useGPU(f.gpu, &cfg)
	if err != nil {
		return err
	}
	defer endGPU(gpu, cfg.Log)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, f.live.endings()...)
	defer signal.Stop(signals)
	started := make(chan *drp.Run, 1)
	go watchSignals(signals, cancel, started, screen, cfg.Log)
	looking, leave, err := f.look(ctx, cfg.Log)
	if err != nil {
		return err
	}
	defer leave()
	if err := f.control.attach(ctx, &cfg); err != nil {
		return err
	}
	r, err := drp.New(ctx, cfg)
	if err != nil {
		f.control.leave(err)
		if ctx.Err() != nil {
			return &drp.Failure{Kind: drp.Interrupted, Err: errors.New("interrupted")}
		}
		return err
	}
	started <- r
	looking.show(r, gpu)
	stopProgress := screen.follow(r)
	s, err := r.Run(ctx)
	stopProgress()
	printText(s.Text())
	if err = errors.Join(err, writeSummary(f.summary, &s)); err == nil {
		err = f.judgeLoss(&s)
	}
	f.control.leave(err)
	return err
}

// tryFolders finds out whether files can be made where the run may want to only later.
func (f *runFlags) tryFolders(cfg *drp.Config) error {
	err := tryFolder("--quarantine", cfg.QuarantineDir)
	if err == nil && f.control.at != "" { // the first file comes with the first run
		err = tryFolder("--output", cfg.OutputDir)
	}
	return err
}

// judgeLoss is the error of a run that lost more than it may.
func (f *runFlags) judgeLoss(s *drp.Summary) error {
	if float64(s.Lost()) <= f.maxLoss/100*float64(s.Received) {
		return nil
	}
	return &drp.Failure{Kind: drp.Loss, Err: fmt.Errorf("%d of %d events were lost: more than --max-loss %g %%", s.Lost(), s.Received,
		f.maxLoss)}
}

// tryWriting finds out before the run whether the summary can be written after it.
func tryWriting(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err == nil {
		err = errors.Join(file.Close(), os.Remove(path)) // a run that does not begin leaves no empty file
	} else if errors.Is(err, fs.ErrExist) {
		if file, err = os.OpenFile(path, os.O_WRONLY, 0); err == nil {
			err = file.Close()
		}
	}
	if err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("--summary: %w", err)}
	}
	return nil
}

func writeSummary(path string, s *drp.Summary) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return general(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o640); err != nil {
		return general(fmt.Errorf("--summary: %w", err))
	}
	return nil
}
