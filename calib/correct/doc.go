// Package correct turns raw pixels into corrected ones: pedestal, gain range, gain, mask and common mode. It computes and
// does nothing else.
//
// NewTables reduces the constants of a detector, and for ePix10ka and ePixHR also its configuration, to what the loop
// over pixels needs. Then, one segment at a time,
//
//	Float32  gives (ADU - pedestal - common mode) / gain, in the unit of the constants
//	ADU16    gives ADU - pedestal - common mode as int16, for the hit finders
//
// A Layout, made from a CrystFEL geometry file, says where pixels are: the picture of the whole detector, the distance of
// each pixel from the beam, the regions marked as bad.
//
// The caller owns raw and corrected pixels. Tables and layouts are not changed once they are made, and all their methods
// may run at the same time. No method of a frame allocates.
//
// On amd64 with AVX2 the loops are written in assembly, some also for AVX-512. The same in Go serves other machines and gives the same bits. For
// the common mode that is so of rows of banks of 48 or 64 pixels, up to 723 ADU; the rest of it is Go everywhere.
//
// The rules are those of psana (slac-lcls/lcls2, psana/psana/detector: UtilsEpix10ka.py, UtilsJungfrau.py and
// UtilsCommonMode.py), those for JUNGFRAU's special codes of jungfraujoch (fpga/hls/jf_conversion.cpp).
package correct
