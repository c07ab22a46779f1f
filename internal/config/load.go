package config

import (
	"cmp"
	"errors"
	"maps"
)

// Input is where a configuration comes from. The zero value gives the defaults.
type Input struct {
	// File is the path of a TOML file. Empty: the one that MUSTER_CONFIG names, if any.
	File string
	// Getenv reads the environment, as os.Getenv does; empty is not set. nil: no environment.
	Getenv func(string) string
	// Flags has the value of every flag that was given, by key, as Flags.Given returns it.
	Flags map[string]string
}

// Loaded is a complete and checked configuration that knows where each value came from.
type Loaded struct {
	Config
	sources map[string]string // by key
}

// Load merges defaults, file, environment and flags, each stronger than the one
// before, and checks the result. The error joins everything that is wrong, a
// *Fault for each bad value; then the result is nil. Variables that start with
// MUSTER_ and are no setting are left alone: the client's commands have some,
// and Kubernetes makes some for a service of that name.
func Load(in Input) (*Loaded, error) {
	getenv := in.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	l := loader{table: keys(), config: Default(), sources: make(map[string]string), bad: make(map[string]bool)}
	// What is derived from other settings is derived again when those are known.
	l.config.Endpoint, l.config.MasterKeyFile, l.config.MQTTListen = "", "", ""

	if file := cmp.Or(in.File, getenv("MUSTER_CONFIG")); file != "" {
		l.file(file)
	}
	for _, k := range l.table {
		if v := getenv(k.env()); v != "" {
			l.give(k, v, "environment "+k.env())
		}
		if v, ok := in.Flags[k.name]; ok {
			l.give(k, v, "flag --"+k.flag())
		}
	}
	l.config.derive(func(name, from string) { l.sources[name] = "from " + from })
	l.checkTogether()
	if err := errors.Join(l.errs...); err != nil {
		return nil, err
	}
	return &Loaded{Config: l.config, sources: l.sources}, nil
}

// loader collects values and what is wrong with them.
type loader struct {
	table   []key
	config  Config
	sources map[string]string // by key; none for a default
	bad     map[string]bool   // keys of which some source gave a bad value
	errs    []error
}

// give takes a value, over what weaker sources said. Bad ones are reported even
// if a stronger source overrides them: they are there to be found later.
func (l *loader) give(k key, value, source string) {
	l.sources[k.name] = source
	if err := k.set(&l.config, value); err != nil {
		l.fault(k.name, k.shown(value), err.Error())
	}
}

// fault reports the value that the present source of a key gave.
func (l *loader) fault(name, value, limit string) {
	l.bad[name] = true
	l.errs = append(l.errs, &Fault{Key: name, Value: value, Source: cmp.Or(l.sources[name], "default"), Limit: limit})
}

// checkTogether judges settings that only together are right or wrong, where
// each alone is right.
func (l *loader) checkTogether() {
	c := l.config
	l.checkMQTT()
	l.checkBroker()
	l.checkCluster()
	if l.bad["listen"] || l.bad["insecureListen"] || l.bad["dev"] || isLoopback(c.Listen) {
		return
	}
	switch {
	case c.Dev:
		l.fault("listen", c.Listen, "must be a loopback address such as 127.0.0.1:8080, because dev = true is for this machine alone: it takes signatures for any region")
	case !c.InsecureListen:
		l.fault("listen", c.Listen, "must be a loopback address such as 127.0.0.1:8080, because Muster serves plain HTTP: "+
			"others could read job documents and session tokens on the way. Put a proxy with TLS in front, "+
			"or set insecureListen = true if the network is yours")
	}
}

// checkMQTT judges the settings of the MQTT listeners.
func (l *loader) checkMQTT() {
	c := l.config
	if !l.bad["mqttListen"] && c.MQTTListen != Off && !isLoopback(c.MQTTListen) {
		l.fault("mqttListen", c.MQTTListen, "must be a loopback address such as 127.0.0.1:1883, or off: "+
			"devices elsewhere connect over TLS, see mqttsListen")
	}
	if l.bad["mqttsListen"] || c.MQTTSListen == "" {
		return
	}
	for name, file := range map[string]string{"tlsCertFile": c.TLSCertFile, "tlsKeyFile": c.TLSKeyFile, "deviceCAFile": c.DeviceCAFile} {
		if file == "" {
			l.fault(name, file, "must be set for mqttsListen")
		}
	}
}

// checkCluster judges the settings of many nodes.
func (l *loader) checkCluster() {
	c := l.config
	if l.bad["store"] || l.bad["cluster"] || c.Cluster == "" {
		return
	}
	if c.Store == "" {
		l.fault("cluster", hidePassword(c.Cluster), "needs store: nodes meet in a PostgreSQL database")
	}
	if c.ClusterCertFile == "" != (c.ClusterKeyFile == "") {
		l.fault("clusterKeyFile", c.ClusterKeyFile, "must be set together with clusterCertFile")
	}
	if IsNATS(c.Cluster) {
		return
	}
	if !isLoopback(c.Cluster) && (c.ClusterCertFile == "" || c.ClusterCAFile == "") {
		l.fault("cluster", c.Cluster, "must be a loopback address such as 127.0.0.1:7422, "+
			"unless clusterCertFile, clusterKeyFile and clusterCAFile are set: nodes trust whoever gets in")
	}
}

// Sources returns where each setting's value came from, by key; settings that
// have their default are not in it.
func (l *Loaded) Sources() map[string]string {
	return maps.Clone(l.sources)
}
