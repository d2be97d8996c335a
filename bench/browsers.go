package bench

// hostile takes pictures of all kinds and sizes in one thread, and asks for everything else in another.
const hostile = `
def read():
    for page in stare():
        page.recv(1 << 20)
threading.Thread(target=read, daemon=True).start()
asked = http.client.HTTPConnection(address.hostname, address.port)
number = 0
while True:
    for what in ("events", "event?number=N&bin=1", "mask?bin=1", "history?seconds=3600", "event?number=N&bin=-1", "pixel?number=N&row=1&col=1"):
        asked.request("GET", "/v1/page/" + what.replace("N", str(number)) + ("&" if "?" in what else "?") + address.query)
        answer = asked.getresponse().read()
        there()
        if what == "events":
            number = max((e["number"] for e in json.loads(answer)["events"]), default=0)
    stream("image=max&bin=1").close()`

// browsers look at the page of a run.
var browsers = []onlooker{
	{name: "browser", page: true, seldom: true, what: "a browser takes 10 pictures a second", large: true, body: `
page = stream("bin=2&rate=10")
while page.recv(1 << 20):
    there()`},
	{name: "browser_stopped", page: true, seldom: true, what: "a browser is stopped in the middle of a picture", large: true, body: `
page = stream("bin=1&rate=30&image=sum", 4096)
page.recv(1000)
there()
os.kill(os.getpid(), signal.SIGSTOP)`},
	{name: "browser_slow", page: true, seldom: true, what: "a browser takes 100 KB in a second", large: true, body: `
page = stream("bin=2&rate=10", 4096)
while page.recv(10000):
    there()
    time.sleep(0.1)`},
	{name: "browser_hostile", page: true, seldom: true, what: "a browser asks for all there is at once, and for nonsense, as fast as it can", large: true, body: hostile},
}

// everything is looked at as fast as can be, so that all memory that this takes is in use.
var everything = onlooker{name: "everything", body: `
def take():
    for _ in drp.monitor(name, wait=30):
        pass
threading.Thread(target=take, daemon=True).start()
end = time.monotonic() + 4
page = stream("bin=8&rate=30")
while time.monotonic() < end:
    page.recv(1 << 20)
    there()
page.close()` + hostile}
