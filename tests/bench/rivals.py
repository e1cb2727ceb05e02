"""The same queues in the tools people would use instead; each prints visits and CPU seconds as JSON.

Run by file with an interpreter that has simpy, ciw and cimba: make bench-simulate. M/M/20 at 90 %; and a
front server held while two services are called at once, each with a timeout and one retry.
"""

import json
import random
import sys
import time


def simpy_resource(n):
    """SimPy as its documentation shows it: a process a customer, a Resource, waits noted."""
    import simpy

    draw, waits = random.Random(1), []
    env = simpy.Environment()
    servers = simpy.Resource(env, 20)

    def customer():
        came = env.now
        with servers.request() as place:
            yield place
            waits.append(env.now - came)
            yield env.timeout(draw.expovariate(1.0))

    def arrive():
        for _ in range(n):
            yield env.timeout(draw.expovariate(18.0))
            env.process(customer())

    env.process(arrive())
    began = time.process_time()
    env.run()
    return n, time.process_time() - began, sum(waits) / len(waits)


def simpy_fan_out(n):
    """The fan-out idiomatically: `reply | patience` for who calls, `place | patience` for who queues.

    The rules are the engine's: who gives up leaves the queue, work that has begun goes on unheard.
    """
    import simpy

    draw, waits = random.Random(1), []
    env = simpy.Environment()
    pools = {
        "front": (simpy.Resource(env, 40), 0.05),
        "a": (simpy.Resource(env, 12), 0.20),
        "b": (simpy.Resource(env, 18), 0.30),
    }
    visits = [0]

    def serve(name, patience, then):
        servers, mean = pools[name]
        visits[0] += 1
        came = env.now
        with servers.request() as place:
            if place not in (yield place | patience):
                return
            waits.append(env.now - came)
            yield env.timeout(draw.expovariate(1 / mean))
            if then:
                yield simpy.AllOf(env, [env.process(call(below, 1.5, 2)) for below in then])

    def call(name, timeout, tries, then=()):
        for number in range(tries):
            if number:
                yield env.timeout(draw.random() * 0.05)
            patience = env.timeout(timeout)
            reply = env.process(serve(name, patience, then))
            if reply in (yield reply | patience):
                return

    def arrive():
        for _ in range(n):
            yield env.timeout(draw.expovariate(50.0))
            env.process(call("front", 100.0, 1, ("a", "b")))

    env.process(arrive())
    began = time.process_time()
    env.run()
    return visits[0], time.process_time() - began, sum(waits) / len(waits)


def ciw_queue(n):
    """Ciw: its records hold every visit."""
    import ciw

    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(18.0)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[20],
    )
    ciw.seed(1)
    simulation = ciw.Simulation(network)
    began = time.process_time()
    simulation.simulate_until_max_customers(n, method="Finish")
    spent = time.process_time() - began
    waits = [record.waiting_time for record in simulation.get_all_records()]
    return len(waits), spent, sum(waits) / len(waits)


def cimba_store(n):
    """Cimba's fast form: one process a server that takes from a store; waits recorded."""
    import cimba as cb
    from cimba import inputs

    class Queue(cb.Model):
        gap: cb.Input[float] = inputs.dist.exponential(mean=1 / 18)
        work: cb.Input[float] = inputs.dist.exponential(mean=1)
        queue: cb.Store[float]
        waits: cb.Dataset
        mean_wait: cb.Output[float]

        @cb.process
        def arrive(self):
            while True:
                cb.hold(self.gap.next())
                self.queue.put(cb.now())

        @cb.process(copies=20)
        def serve(self):
            while True:
                came = self.queue.get()
                self.waits.record(cb.now() - came)
                cb.hold(self.work.next())

        @cb.on_end
        def measure(self):
            self.mean_wait = self.waits.sample_mean()

    def run(duration):
        model = Queue()
        window = cb.Window(warmup=0, duration=duration)
        return model, cb.Experiment(model, replications=1, window=window, seed=1).run()

    run(10.0)
    began = time.process_time()
    model, results = run(n / 18)
    spent = time.process_time() - began
    return n, spent, float(results[model].mean_wait.values[0, 0])


if __name__ == "__main__":
    visits, seconds, wait = globals()[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps({"visits": visits, "seconds": seconds, "mean_wait_s": wait}))
