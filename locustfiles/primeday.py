"""Prime Day in Locust: `locust -f locustfiles/primeday.py --host http://127.0.0.1:8080`.

Start a target first (`gameday shop --event primeday`). `gameday replay` uses this file too.
"""

from gameday.swarm.locust_user import customers_of

Customers, Clock = customers_of("primeday")
