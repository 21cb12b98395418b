//! Where operations are registered: to be served, or to be described in the OpenAPI document.
//! Both passes go over the same list, so that what is served is described and the other way
//! round; a server that only serves does not make the description, which takes longer than the rest
//! of its start.

use actix_web::{dev::HttpServiceFactory, web};
use utoipa::openapi::{Components, OpenApi, Paths, RefOr, Schema};
use utoipa_actix_web::OpenApiFactory;

/// Registers operations, to be served or to be described.
pub struct ServiceConfig<'a>(Purpose<'a>);

enum Purpose<'a> {
    Serving(&'a mut web::ServiceConfig),
    Describing(&'a mut Description),
}

/// The descriptions of operations.
#[derive(Default)]
struct Description {
    paths: Paths,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// Registers operations to be served.
pub fn serve_routes(config: &mut web::ServiceConfig, routes: fn(&mut ServiceConfig<'_>)) {
    routes(&mut ServiceConfig(Purpose::Serving(config)));
}

/// Adds the descriptions of operations to a document.
pub fn describe_routes(mut document: OpenApi, routes: fn(&mut ServiceConfig<'_>)) -> OpenApi {
    let mut description = Description::default();
    routes(&mut ServiceConfig(Purpose::Describing(&mut description)));
    document.paths.merge(description.paths);
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.extend(description.schemas);
    document
}

impl ServiceConfig<'_> {
    /// Registers an operation.
    pub fn service(
        &mut self,
        operation: impl HttpServiceFactory + OpenApiFactory + 'static,
    ) -> &mut Self {
        match &mut self.0 {
            Purpose::Serving(config) => {
                config.service(operation);
            }
            Purpose::Describing(description) => {
                description.paths.merge(operation.paths());
                operation.schemas(&mut description.schemas);
            }
        }
        self
    }

    /// Registers the operations of a module.
    pub fn configure(&mut self, routes: impl FnOnce(&mut ServiceConfig<'_>)) -> &mut Self {
        routes(self);
        self
    }

    /// Registers operations whose addresses begin with the same words.
    pub fn scope(
        &mut self,
        prefix: &'static str,
        routes: impl FnOnce(&mut ServiceConfig<'_>),
    ) -> &mut Self {
        match &mut self.0 {
            Purpose::Serving(config) => {
                let inside = |config: &mut web::ServiceConfig| {
                    routes(&mut ServiceConfig(Purpose::Serving(config)));
                };
                config.service(web::scope(prefix).configure(inside));
            }
            Purpose::Describing(description) => {
                let mut inside = Description::default();
                routes(&mut ServiceConfig(Purpose::Describing(&mut inside)));
                let mut paths = Paths::new();
                for (path, item) in inside.paths.paths {
                    paths.paths.insert(format!("{prefix}{path}"), item);
                }
                description.paths.merge(paths);
                description.schemas.extend(inside.schemas);
            }
        }
        self
    }
}
