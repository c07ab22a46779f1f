package archtest_test

// rule is what one package below internal/ may do.
type rule struct {
	// imports are the packages below internal/ that its code, tests apart, may import.
	imports []string
	// pure packages take data and return data: no I/O, no goroutine, no clock,
	// nothing but the standard library. They run inside transactions that may
	// run again, and under a clock that stands still.
	pure bool
	// why says what the package is for and what its imports are for.
	why string
}

// table has a row for every package below internal/, from the nouns to the
// surfaces. No row and no right is there before it is needed. cmd and test may import everything.
var table = map[string]rule{
	"apierr": {
		pure: true,
		why:  "the one error type that crosses packages; it knows nobody",
	},
	"topic": {
		pure: true,
		why:  "parses and prints the reserved topics; names are strings to it",
	},
	"job": {
		pure: true, imports: []string{"apierr"},
		why: "the rules of jobs and executions; refusals are told in apierr",
	},
	"thing": {
		pure: true, imports: []string{"apierr"},
		why: "the rules of things, types and groups; refusals are told in apierr",
	},
	"wire": {
		pure: true, imports: []string{"apierr"},
		why: "request and response structs as AWS spells them; a broken constraint is told in apierr. " +
			"It must not know job or thing, or the wire form would become the model",
	},
	"auth": {
		imports: []string{"apierr"},
		why:     "principals and what they may do; refusals are told in apierr",
	},
	"auth/sigv4": {
		imports: []string{"apierr", "auth"},
		why:     "signs and verifies requests; it implements the contract of auth",
	},
	"store": {
		imports: []string{"job", "thing"},
		why:     "the contract of the drivers, in terms of the nouns that they keep. It must not know an engine",
	},
	"store/sqlite": {
		imports: []string{"apierr", "job", "store", "thing"},
		why:     "a driver keeps nouns and knows the contract, never who calls it",
	},
	"store/postgres": {
		imports: []string{"apierr", "job", "store", "thing"},
		why:     "a driver keeps nouns and knows the contract, never who calls it",
	},
	"store/storetest": {
		imports: []string{"apierr", "job", "store", "thing"},
		why:     "the suite that every driver passes; it sees no driver, so that it can favor none",
	},
	"cluster": {
		imports: []string{"apierr", "store"},
		why: "which servers live, who works on which part, what time it is, and messages between them: " +
			"rows in the store and a bus. It knows nothing of what the parts hold",
	},
	"store/transfer": {
		imports: []string{"store", "store/postgres", "store/sqlite"},
		why:     "moves rows from one driver's tables to another's; it is the one package that knows both",
	},
	"engine": {
		imports: []string{"apierr", "auth", "job", "store", "thing"},
		why: "jobs: transactions, clock, authorization, loops. It meets the registry in the store: " +
			"a row is not lost in a crash, a call is",
	},
	"engine/peers": {
		imports: []string{"cluster", "engine", "job", "store"},
		why:     "joins the engines of a cluster over its bus; it implements the contract of engine",
	},
	"registry": {
		imports: []string{"apierr", "auth", "job", "store", "thing"},
		why: "things, types, groups and tags: transactions, clock, authorization. " +
			"It leaves rows for the engine in job's terms and never calls it",
	},
	"httpapi": {
		imports: []string{"apierr", "auth", "engine", "job", "registry", "thing", "wire"},
		why: "decodes, authenticates, makes one call, encodes. No store: " +
			"whoever reads past the engine also reads past its authorization",
	},
	"mqtt/codec": {
		pure: true,
		why:  "the packets of MQTT: bytes in, structs out; what it refuses it tells in codes of its own",
	},
	"mqtt/codec/codectest": {
		imports: []string{"mqtt/codec"},
		why:     "wire fixtures that encoder, decoder and endpoint are tested with",
	},
	"mqtt": {
		imports: []string{"auth", "mqtt/codec"},
		why:     "the endpoint that devices connect to; it knows no jobs, they come in through hooks",
	},
	"mqtt/peers": {
		imports: []string{"cluster", "mqtt"},
		why:     "joins the endpoints of a cluster over its bus; it implements the contract of mqtt",
	},
	"mqtt/stored": {
		imports: []string{"apierr", "mqtt", "store"},
		why:     "sessions that outlive the process: the endpoint's contract on the store's",
	},
	"agent": {
		imports: []string{"topic", "wire"},
		why:     "the device library; it sees of the server what every device sees",
	},
	"agent/dial": {
		imports: []string{"agent"},
		why:     "the device's connection over MQTT; it implements the contract of agent and knows no topics",
	},
	"agent/handler": {
		imports: []string{"agent"},
		why:     "what a device does in the steps of a job; it implements the contract of agent",
	},
	"mqttapi": {
		imports: []string{"apierr", "auth", "engine", "job", "topic", "wire"},
		why: "the jobs API over messages: decodes, makes one call, encodes. It knows no broker, " +
			"so that an endpoint and a bridge can both carry it, and no store, like httpapi",
	},
	"mqttapi/bridge": {
		imports: []string{"apierr", "auth", "mqtt/codec", "mqttapi", "topic"},
		why: "the jobs API as a client of a broker: packets of MQTT on one side, requests of mqttapi on the other. " +
			"No engine: it comes in as the handler",
	},
	"config": {
		why: "settings of the server as data; cmd hands the parts to the packages, which know no configuration",
	},
	"client": {
		imports: []string{"auth/sigv4", "wire"},
		why:     "the HTTP client of our own commands; it sees of the server what every client sees",
	},
	"sim": {
		imports: []string{"agent"},
		why:     "simulated devices: the agent with made-up work; how they connect is handed in",
	},
	"pgtest": {
		why: "PostgreSQL servers for tests; it knows no schema, so that every package can use it",
	},
	"archtest": {
		why: "this test",
	},
}
