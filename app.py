"""The Chalice app: registers blueprints, nothing else."""

from chalice.app import Chalice

from chalicelib.api import routes, workers

app = Chalice(app_name="openmns")
app.register_blueprint(routes.blueprint)
app.register_blueprint(workers.blueprint)
