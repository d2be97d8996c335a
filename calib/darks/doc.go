// Package darks makes pedestals, noise and a status from events that were taken without light.
//
// The files are read twice. The first time up to 16 values of each pixel in each gain range are kept, spread over all
// events (reservoir sampling); their median is the pixel's centre, and 1.4826 times the median distance from it its width,
// which is at least 0.7 of what is usual in the segment. The second time the mean and the standard deviation of all
// values within 5 widths of the centre are taken. So neither cosmic rays nor a frame with light in it spoils a pixel, as
// long as fewer than half of its values are like that.
//
// The gain range of a value comes from the raw pixel and the configuration of the detector, as in calib/correct. What is
// damaged is left out and counted, and so are the codes that stand for no value. A status says what is wrong with a
// pixel, against the others of its segment in the same range: see Limits.
//
// Everything here belongs to the goroutine that calls Make.
package darks
