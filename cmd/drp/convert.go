package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"drp/drp"
)

const convertLong = `convert writes the pictures of a camera and the peaks in them as a CXI file, which CrystFEL's indexamajig reads with
--peaks=cxi, and beside it a geometry file that fits, where the constants have a geometry. Segments are below each other:
segment n begins at row n*rows of a frame.

Pixels are corrected where there are constants (float32), else raw (uint16). Peaks are those that the run recorded, or
those that --find finds. The file has another name (.part) until it is complete; what is interrupted leaves nothing.

With --follow the file is one that a run is writing: convert keeps up with it, and ends when the run does.

Exit codes: 0 ok, 1 the file cannot be written, 2 usage, 3 constants or Python, 4 the data file, 130 interrupt.`

type convertFlags struct {
	source     hitSource
	cxi        string
	hitsOnly   bool
	raw        bool
	calibrated bool
	adu        bool
	mask       bool
	energy     float64
	distance   string
	force      bool
	python     string
	most       int64
}

func newConvertCommand() *cobra.Command {
	f := &convertFlags{}
	cmd := &cobra.Command{
		Use:   "convert --cxi OUT.cxi FILE",
		Short: "Write pictures and peaks for CrystFEL",
		Long:  convertLong,
		Example: `  drp convert --cxi hits.cxi --hits-only --mask --energy 9500 --distance 95mm --calib constants run.xtc2
  drp convert --cxi hits.cxi --hits-only --follow out/exp-r0005-s000-c000.xtc2`,
		Args: aloneFile("drp convert --cxi OUT.cxi run.xtc2"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if err := f.check(); err != nil {
				return err
			}
			return f.run(ctx, args[0])
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&f.cxi, "cxi", "", "the CXI `file` to write")
	f.source.addFind(cmd)
	fl.BoolVar(&f.hitsOnly, "hits-only", false, "write hits only")
	fl.Int64VarP(&f.most, "number", "n", 0, "write at most so many events (0: all)")
	fl.BoolVar(&f.calibrated, "calibrated", false, "write corrected pixels, float32 (default, where there are constants)")
	fl.BoolVar(&f.adu, "adu", false, "write ADU less pedestal and common mode, int16; pixels in another gain range are 32767, bad ones -32768")
	fl.BoolVar(&f.raw, "raw", false, "write raw pixels, uint16")
	fl.BoolVar(&f.mask, "mask", false, "write the mask of the constants, too; 0 is good, as in all CXI files")
	fl.Var((*energyFlag)(&f.energy), "energy", "of the photons: 9500 (`eV`) or 9.5keV (default: what the events say, or the geometry)")
	fl.StringVar(&f.distance, "distance", "", "from the sample to the detector: 0.095 (`m`) or 95mm (default: what the geometry says)")
	fl.BoolVar(&f.source.follow, "follow", false, "keep up with a run that is writing the file")
	fl.BoolVar(&f.force, "force", false, "write over files that are there")
	fl.StringVar(&f.python, "python", "", "Python interpreter that has h5py (default: that of the active or neighbouring .venv, or python3)")
	return cmd
}

// check refuses what cannot be, before anything is opened.
func (f *convertFlags) check() error {
	kinds := 0
	for _, kind := range []bool{f.raw, f.calibrated, f.adu} {
		if kind {
			kinds++
		}
	}
	switch {
	case f.cxi == "":
		return errors.New("what shall be written? Give --cxi OUT.cxi")
	case filepath.Ext(f.cxi) != ".cxi":
		return fmt.Errorf("--cxi %s: CrystFEL goes by the end of the name: give one that ends in .cxi", f.cxi)
	case kinds > 1:
		return errors.New("--raw, --adu and --calibrated: give one of them")
	}
	if err := fromZero("-n", f.most); err != nil {
		return err
	}
	if f.distance != "" {
		if _, err := givenDistance(f.distance); err != nil {
			return err
		}
	}
	for _, path := range []string{f.cxi, geometryName(f.cxi)} {
		if err := notThere(path, f.force); err != nil {
			return err
		}
	}
	return nil
}

// geometryName is that of the geometry file beside a CXI file.
func geometryName(cxi string) string { return strings.TrimSuffix(cxi, filepath.Ext(cxi)) + ".geom" }

// first reads the first event, which says what there is.
func (f *convertFlags) first(ctx context.Context, path string) (*drp.Frame, *drp.Frames, error) {
	frames, err := f.source.open(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	e := &drp.Frame{}
	for {
		if err := frames.Next(e); err != nil {
			f.source.close(frames)
			return nil, nil, noFrame(frames, err)
		}
		if frames.Rows > 0 {
			return e, frames, nil
		}
	}
}
