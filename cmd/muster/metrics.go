package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"muster/internal/engine"
	"muster/internal/job"
	"muster/internal/store"
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

// engineMetrics are the numbers of jobs. What is counted in the store is read
// when it is asked for, and no further than countLimit.
type engineMetrics struct {
	engine                 *engine.Engine
	store                  store.Store
	reached, jobs, backlog *prometheus.Desc
}

// countLimit bounds what a scrape counts of each kind.
const countLimit = 10_000

func newEngineMetrics(e *engine.Engine, s store.Store) *engineMetrics {
	return &engineMetrics{
		engine: e, store: s,
		reached: prometheus.NewDesc("muster_job_executions_total",
			"Job executions that have come to a status since the start.", []string{"status"}, nil),
		jobs: prometheus.NewDesc("muster_jobs",
			"Jobs by status, counted up to 10,000.", []string{"status"}, nil),
		backlog: prometheus.NewDesc("muster_engine_backlog",
			"Pieces of rollouts, sweeps and purges that are not finished, counted up to 10,000.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (m *engineMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.reached
	ch <- m.jobs
	ch <- m.backlog
}

// Collect implements prometheus.Collector.
func (m *engineMetrics) Collect(ch chan<- prometheus.Metric) {
	reached := m.engine.Reached()
	for _, s := range job.Statuses() {
		ch <- prometheus.MustNewConstMetric(m.reached, prometheus.CounterValue, float64(reached[s]), s.String())
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	var jobs [len(jobStates)]int
	var work int
	err := m.store.View(ctx, func(r store.Reader) error {
		var err error
		for i, s := range jobStates {
			jobs[i], err = r.CountJobs(s, countLimit)
			if err != nil {
				return err
			}
		}
		work = 0
		for part := range m.store.Parts() {
			ws, err := r.Work(part, countLimit-work)
			if err != nil {
				return err
			}
			work += len(ws)
		}
		return nil
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(m.jobs, err)
		return
	}
	for i, s := range jobStates {
		ch <- prometheus.MustNewConstMetric(m.jobs, prometheus.GaugeValue, float64(jobs[i]), s.String())
	}
	ch <- prometheus.MustNewConstMetric(m.backlog, prometheus.GaugeValue, float64(work))
}

// scrapeTime bounds how long a scrape waits for the store.
const scrapeTime = 2 * time.Second

var jobStates = [...]job.State{job.Active, job.Stopped, job.Completed, job.Deleting, job.Scheduled}
