package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// storeMetrics are the numbers of the database's writer, filled by the hooks of the driver.
type storeMetrics struct {
	calls       prometheus.Histogram
	commits     prometheus.Histogram
	failures    prometheus.Counter
	checkpoints prometheus.Histogram
	log         prometheus.Gauge
}

// newRegistry returns a registry with what every Go program tells, and the
// metrics of the store in it.
func newRegistry() (*prometheus.Registry, *storeMetrics) {
	m := &storeMetrics{
		calls: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "muster_store_commit_calls",
			Help:    "Calls served together by one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "muster_store_commit_duration_seconds",
			Help:    "Time of a transaction of the writer, from its first statement to the end of its commit.",
			Buckets: prometheus.ExponentialBuckets(.00025, 2, 14),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "muster_store_commit_failures_total",
			Help: "Transactions of the writer that failed as a whole.",
		}),
		checkpoints: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "muster_store_checkpoint_duration_seconds",
			Help:    "Time to copy the write-ahead log into the database file.",
			Buckets: prometheus.ExponentialBuckets(.001, 2, 14),
		}),
		log: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "muster_store_log_bytes",
			Help: "Size of the write-ahead log as the last checkpoint found it.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "muster_build_info", Help: "Always 1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.calls, m.commits, m.failures, m.checkpoints, m.log, build)
	return reg, m
}

func (m *storeMetrics) committed(calls int, took time.Duration, err error) {
	m.calls.Observe(float64(calls))
	m.commits.Observe(took.Seconds())
	if err != nil {
		m.failures.Inc()
	}
}

func (m *storeMetrics) checkpointed(log int64, took time.Duration, _ error) {
	m.log.Set(float64(log))
	m.checkpoints.Observe(took.Seconds())
}

// loopFailures is a counter of what engine loops have failed.
func loopFailures(count func() int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "muster_engine_loop_failures_total",
		Help: "Runs of background loops that failed and were tried again.",
	}, func() float64 { return float64(count()) })
}
